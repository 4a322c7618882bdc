// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// oracle answers in the place of time, chance and the cluster. Its answers are
// always the same, and those of the second one are all others.
type oracle struct {
	second  bool
	count   int
	asked   map[string]bool
	lookups map[string]bool
}

// pair is a certificate and its key, as templates see them.
type pair struct{ Cert, Key string }

// funcs replace those of sprig that depend on more than their arguments.
func (o *oracle) funcs() template.FuncMap {
	funcs := o.times()
	for name, alphabet := range map[string]string{
		"randAlphaNum": "abcdefghijklmnopqrstuvwxyz0123456789", "randAlpha": "abcdefghijklmnopqrstuvwxyz",
		"randNumeric": "0123456789", "randAscii": "abcdefghijklmnopqrstuvwxyz0123456789",
	} {
		funcs[name] = func(n int) string { return o.text(name, n, alphabet) }
	}
	funcs["randBytes"] = func(n int) (string, error) {
		return base64.StdEncoding.EncodeToString([]byte(o.text("randBytes", n, "abcdef"))), nil
	}
	funcs["randInt"] = func(low, high int) int { return o.number(low, high) }
	funcs["shuffle"] = o.shuffle
	funcs["uuidv4"] = func() string { return o.uuid() }
	for _, name := range []string{"bcrypt", "htpasswd", "encryptAES", "genPrivateKey"} {
		funcs[name] = func(...any) string { return o.text(name, 32, "abcdef0123456789") }
	}
	for _, name := range []string{"genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey"} {
		funcs[name] = func(...any) pair { return pair{o.text(name, 32, "abcdef"), o.text(name, 32, "abcdef")} }
	}
	funcs["buildCustomCert"] = customCert
	funcs["lookup"] = func(apiVersion, kind, _, _ string) map[string]any {
		note(&o.lookups, kind+"."+apiVersion)
		return map[string]any{}
	}
	funcs["keys"] = func(dicts ...map[string]any) []string { // sprig gives the order of the map, which changes
		var all []string
		for _, dict := range dicts {
			all = append(all, slices.Sorted(maps.Keys(dict))...)
		}
		return all
	}
	funcs["values"] = func(dict map[string]any) []any {
		all := make([]any, 0, len(dict))
		for _, key := range slices.Sorted(maps.Keys(dict)) {
			all = append(all, dict[key])
		}
		return all
	}
	return funcs
}

func note(set *map[string]bool, name string) {
	if *set == nil {
		*set = make(map[string]bool)
	}
	(*set)[name] = true
}

// text gives n characters that no other call gives.
func (o *oracle) text(function string, n int, alphabet string) string {
	note(&o.asked, function)
	o.count++
	var out []byte
	for block := 0; len(out) < min(n, 1<<20); block++ {
		for _, b := range sha512.Sum512(fmt.Appendf(nil, "%t %d %d", o.second, o.count, block)) {
			out = append(out, alphabet[int(b)%len(alphabet)])
		}
	}
	return string(out[:max(0, min(n, len(out)))])
}

func (o *oracle) uuid() string {
	h := hex.EncodeToString([]byte(o.text("uuidv4", 16, "0123456789abcdef")))
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}

func (o *oracle) number(low, high int) int {
	note(&o.asked, "randInt")
	if o.second {
		return high - 1
	}
	return low
}

func (o *oracle) shuffle(text string) string {
	note(&o.asked, "shuffle")
	letters := []rune(text)
	if o.second {
		slices.Reverse(letters)
	}
	return string(letters)
}

func customCert(cert, key string) (pair, error) {
	c, err := base64.StdEncoding.DecodeString(cert)
	if err != nil {
		return pair{}, fmt.Errorf("the certificate is not base64")
	}
	k, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return pair{}, fmt.Errorf("the key is not base64")
	}
	return pair{string(c), string(k)}, nil
}

// now differs from that of the second oracle in all that a format can show.
func (o *oracle) now(function string) time.Time {
	note(&o.asked, function)
	if o.second {
		return time.Date(2013, time.November, 20, 17, 38, 49, 0, time.UTC)
	}
	return time.Date(2001, time.February, 3, 4, 5, 6, 0, time.UTC)
}

// times are the functions that read the clock, or the zone of the machine.
func (o *oracle) times() template.FuncMap {
	in := sprig.TxtFuncMap()["dateInZone"].(func(string, any, string) string) //nolint:forcetypeassert // sprig's API
	round := sprig.TxtFuncMap()["durationRound"].(func(any) string)           //nolint:forcetypeassert // sprig's API
	known := func(date any) any {
		switch date := date.(type) {
		case time.Time, *time.Time, int64, int, int32:
			return date
		}
		return o.now("date")
	}
	inZone := func(format string, date any, zone string) string { return in(format, known(date), zone) }
	parse := func(format, text string) (time.Time, error) { return time.Parse(format, text) }
	since := func(date any) time.Duration {
		switch date := date.(type) {
		case time.Time:
			return o.now("ago").Sub(date)
		case int64:
			return o.now("ago").Sub(time.Unix(date, 0))
		case int:
			return o.now("ago").Sub(time.Unix(int64(date), 0))
		}
		return 0
	}
	return template.FuncMap{
		"now":            func() time.Time { return o.now("now") },
		"date":           func(format string, date any) string { return inZone(format, date, "UTC") },
		"dateInZone":     inZone,
		"date_in_zone":   inZone,
		"htmlDate":       func(date any) string { return inZone(time.DateOnly, date, "UTC") },
		"htmlDateInZone": func(date any, zone string) string { return inZone(time.DateOnly, date, zone) },
		"toDate":         func(format, text string) time.Time { t, _ := parse(format, text); return t },
		"mustToDate":     parse,
		"ago":            func(date any) string { return since(date).Round(time.Second).String() },
		"durationRound": func(of any) string {
			if date, ok := of.(time.Time); ok {
				of = since(date).String()
			}
			return round(of)
		},
	}
}
