// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// A server and its children are gone when the test that started it is over.
func TestServersEndWithTheTest(t *testing.T) {
	var p *Process
	t.Run("inner", func(t *testing.T) {
		marker := t.TempDir() + "/ready"
		p = Start(t, Program{
			Path: "/bin/sh",
			Args: []string{"-c", "trap '' TERM; sleep 1000 & touch " + marker + "; wait"},
			Ready: func(context.Context) error {
				_, err := os.Stat(marker)
				return err
			},
		})
		p.Kill()
	})
	err := converge.Until(t.Context(), "the end of its children", 10*time.Second, func(context.Context) (bool, string, error) {
		return errors.Is(syscall.Kill(-p.PID, 0), syscall.ESRCH), "", nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.Log); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log is still there: %v", err)
	}
}

func TestS3AnswersWithItsBucket(t *testing.T) {
	s := S3(t)
	if _, err := os.Stat(s.Data + "/" + s.Bucket); err != nil {
		t.Error(err)
	}
}

func TestAPIServerServesAnAdministrator(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", APIServer(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}
