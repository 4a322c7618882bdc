// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"clusterup.dev/clusterup/internal/testservers"
)

// servers are a cluster that is there already and a bucket on an S3 server. Every
// test has its own environment, namespace and prefix on them.
type servers struct {
	s3         *testservers.S3Server
	kubeconfig string
}

// TestExisting proves what clusterup does with a cluster that it did not build, on
// a real API server and a real S3 server.
func TestExisting(t *testing.T) {
	s := servers{s3: testservers.S3(t), kubeconfig: existingCluster(t)}
	for key, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": s.s3.AccessKey, "AWS_SECRET_ACCESS_KEY": s.s3.SecretKey.RevealString(),
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(key, value)
	}
	t.Run("unreachable", func(t *testing.T) { unreachable(t, s) }) // it changes variables, so it comes first
	for _, test := range []struct {
		name string
		run  func(t *testing.T, w *world)
	}{
		{"first", firstRun},
		{"secret", secretStays},
		{"certificate", certificateStays},
		{"drift", drift},
		{"observed", observedKept},
		{"change", change},
		{"version", newVersion},
		{"died", died},
		{"protected", protectedStay},
		{"surprise", surprise},
		{"unready", surpriseBeforeTheFirst},
		{"guarded", guarded},
		{"never", neverOurs},
		{"tokenless", shownWithoutTokens},
		{"shown", deletesOnlyWhatWasShown},
		{"definitions", sharedDefinitions},
		{"rollback", rollback},
		{"returned", removedAddonReturns},
		{"anew", tokenMadeAnew},
		{"rotated", rotatedStays},
		{"doubt", doubtfulTokens},
		{"away", rollbackWithoutStore},
		{"hookless", rollbackWithoutHooks},
		{"around", aroundATokenAsItWas},
		{"abandon", abandonAttempt},
		{"damaged", damagedRollback},
		{"collect", collect},
		{"compare", compareReleases},
		{"journal", journalOfRuns},
		{"unwritten", journalRefused},
		{"other", otherCluster},
		{"locked", locked},
		{"lost", lost},
		{"lockless", lockDeleted},
		{"destroy", destroy},
		{"early", destroyEarly},
		{"dropped", destroyDropped},
		{"defined", definedElsewhere},
		{"shared", sharedNamespace},
		{"neighbours", sharedCluster},
		{"chart", chart},
		{"contract", contract},
		{"folder", newFolder},
		{"interrupted", interrupted},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // they wait more than they work
			test.run(t, newWorld(t, s, test.name))
		})
	}
}

// existingCluster starts an API server with the one controller that these tests
// need, and one node that claims to be ready: there is no kubelet.
func existingCluster(t *testing.T) string {
	t.Helper()
	kubeconfig := testservers.APIServer(t)
	port := testservers.Port(t)
	testservers.Start(t, testservers.Program{
		Path: testservers.Bin(t, "kube-controller-manager"),
		Args: []string{
			"--kubeconfig=" + kubeconfig, "--controllers=namespace-controller", "--leader-elect=false",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--cert-dir=" + t.TempDir(),
		},
		Ready: testservers.Answers(fmt.Sprintf("https://127.0.0.1:%d/healthz", port)),
	})
	client := clientOf(t, kubeconfig)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "only"}}
	node, err := client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if _, err := client.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
