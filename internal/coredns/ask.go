// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// askTimeout is for one server to answer one question.
const askTimeout = 5 * time.Second

// ask asks one CoreDNS for the addresses of the probe, over TCP.
func (d *DNS) ask(ctx context.Context, pod string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	question, err := query(d.Probe)
	if err != nil {
		return err
	}
	conn, err := d.Cluster.Dial(ctx, pod)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	packet := append(binary.BigEndian.AppendUint16(nil, uint16(len(question.packet))), question.packet...) //nolint:gosec // a name has 255 bytes at most
	if _, err := conn.Write(packet); err != nil {
		return ended(ctx, err)
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return ended(ctx, err)
	}
	reply := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, reply); err != nil {
		return ended(ctx, err)
	}
	return question.check(reply)
}

// ended is why the connection broke, if it was closed for the time it took.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer within %s", askTimeout)
	}
	return err
}

type question struct {
	id     uint16
	packet []byte
}

func query(name string) (question, error) {
	host, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return question{}, fmt.Errorf("the name %q: %w", name, err)
	}
	q := question{id: uint16(rand.Uint32())} //nolint:gosec // it tells answers apart, and guards nothing
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: host, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	q.packet, err = message.Pack()
	return q, err
}

// check takes an answer that has at least one address.
func (q question) check(reply []byte) error {
	var message dnsmessage.Message
	if err := message.Unpack(reply); err != nil {
		return fmt.Errorf("its answer: %w", err)
	}
	switch {
	case message.ID != q.id || !message.Response:
		return errors.New("it answers something else")
	case message.RCode != dnsmessage.RCodeSuccess:
		return errors.New(strings.TrimPrefix(message.RCode.String(), "RCode"))
	case len(message.Answers) == 0:
		return errors.New("it knows no address")
	}
	return nil
}
