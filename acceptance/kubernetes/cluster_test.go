// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// startTimeout bounds how long a program of the cluster may take until it is ready.
const startTimeout = 2 * time.Minute

// cluster is an etcd and a kube-apiserver: the part of Kubernetes that controllers talk to. Nothing in it runs pods.
type cluster struct {
	url    string
	ca     *authority
	client *http.Client
	// kubeconfig is a file for programs that may do everything.
	kubeconfig string
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	ca := newAuthority(t)
	cert, key := ca.issue(t, "admin", "system:masters")
	c := &cluster{ca: ca, client: &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: ca.trust(t, cert, key)},
	}}
	c.startServer(t, startEtcd(t))
	c.kubeconfig = ca.write(t, "kubeconfig", fmt.Appendf(nil, "apiVersion: v1\nkind: Config\ncurrent-context: test\n"+
		"clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]\n"+
		"users: [{name: admin, user: {client-certificate: %q, client-key: %q}}]\n"+
		"contexts: [{name: test, context: {cluster: test, user: admin}}]\n", c.url, ca.file, cert, key))
	return c
}

// startEtcd returns the address that the etcd serves at.
func startEtcd(t *testing.T) string {
	t.Helper()
	url, peers := "http://"+freeAddress(t), "http://"+freeAddress(t)
	start(t, "etcd", program(t, "ETCD_BIN"), nil, "--data-dir=data", "--listen-client-urls="+url, "--advertise-client-urls="+url,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
	return url
}

// startServer starts the API server. It writes no endpoints of itself, for which a loopback address is refused.
func (c *cluster) startServer(t *testing.T, etcd string) {
	t.Helper()
	address := freeAddress(t)
	c.url = "https://" + address
	cert, key := c.ca.issue(t, "kube-apiserver")
	_, accounts := c.ca.issue(t, "service-accounts")
	_, port, _ := strings.Cut(address, ":")
	server := start(t, "kube-apiserver", program(t, "KUBE_APISERVER_BIN"), nil,
		"--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+port,
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC",
		"--client-ca-file="+c.ca.file, "--tls-cert-file="+cert, "--tls-private-key-file="+key,
		"--service-account-issuer="+c.url, "--service-account-key-file="+accounts, "--service-account-signing-key-file="+accounts,
		"--cert-dir=certificates")
	eventually(t, "the API server is ready", func() error {
		check.NoError(t, server.Err())
		_, err := c.request(t.Context(), http.MethodGet, "/readyz", "", nil)
		return err
	})
}

func start(t *testing.T, name, path string, env []string, args ...string) *harness.Program {
	t.Helper()
	dir := t.TempDir()
	p := check.Value(harness.StartDaemon(harness.ProgramSpec{
		Name: name, Dir: dir, Log: filepath.Join(dir, "log"), Path: path, Args: args,
	}, env...))(t)
	harness.EndWith(t, p)
	return p
}

// program is the path of a program that the environment names, see scripts/get-kubernetes.
func program(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	check.Require(t, path != "", "%s names no program: run this with make kubernetes", variable)
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return check.Value(harness.FreeAddress(t.Context()))(t)
}

// eventually tries until it succeeds, twice a second.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.After(startTimeout)
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %s still not: %s: %v", startTimeout, what, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// request sends a request as an administrator of the cluster, and returns the body of a response of success.
func (c *cluster) request(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, &refusal{status: response.StatusCode, message: fmt.Sprintf("%s %s: %d: %s", method, path, response.StatusCode, text)}
	}
	return text, nil
}

// refusal is a response of the API server that is no success.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

func isAbsent(err error) bool {
	r := (*refusal)(nil)
	return errors.As(err, &r) && r.status == http.StatusNotFound
}

type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name, Namespace string }
}

// apply does what kubectl apply --server-side --validate=strict does with a manifest of one or more objects.
func (c *cluster) apply(t *testing.T, manifest string) {
	t.Helper()
	for document := range strings.SplitSeq("\n"+manifest, "\n---\n") {
		var o object
		check.NoError(t, yaml.Unmarshal([]byte(document), &o))
		if o.Kind == "" {
			continue // nothing but comments
		}
		path := c.collection(t, o) + "/" + o.Metadata.Name + "?fieldManager=test&force=true&fieldValidation=Strict"
		if _, err := c.request(t.Context(), http.MethodPatch, path, "application/apply-patch+yaml", []byte(document)); err != nil {
			t.Fatalf("applying %s %s: %v", o.Kind, o.Metadata.Name, err)
		}
	}
}

// collection is the path of the objects of a kind. A kind that was just defined may take a moment to be served.
func (c *cluster) collection(t *testing.T, o object) (path string) {
	t.Helper()
	group := "/apis/" + o.APIVersion
	if o.APIVersion == "v1" {
		group = "/api/v1"
	}
	eventually(t, "the API server serves "+o.Kind, func() error {
		text, err := c.request(t.Context(), http.MethodGet, group, "", nil)
		if err != nil {
			return err
		}
		var list struct {
			Resources []struct {
				Name, Kind string
				Namespaced bool
			}
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return err
		}
		for _, r := range list.Resources {
			if r.Kind != o.Kind || strings.Contains(r.Name, "/") {
				continue
			}
			path = group + "/" + r.Name
			if r.Namespaced {
				path = group + "/namespaces/" + o.Metadata.Namespace + "/" + r.Name
			}
			return nil
		}
		return fmt.Errorf("%s has no %s", o.APIVersion, o.Kind)
	})
	return path
}

func (c *cluster) accountToken(t *testing.T, namespace, name string) string {
	t.Helper()
	text := check.Value(c.request(t.Context(), http.MethodPost, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+name+"/token",
		"application/json", []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":86400}}`)))(t)
	var made struct{ Status struct{ Token string } }
	if err := json.Unmarshal(text, &made); err != nil || made.Status.Token == "" {
		t.Fatalf("no token for %s: %v", name, err)
	}
	return made.Status.Token + "\n"
}

// secret reads one key of a Secret, "" where it is not there.
func (c *cluster) secret(ctx context.Context, namespace, name, key string) (string, error) {
	text, err := c.request(ctx, http.MethodGet, "/api/v1/namespaces/"+namespace+"/secrets/"+name, "", nil)
	if isAbsent(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var read struct{ Data map[string][]byte }
	if err := json.Unmarshal(text, &read); err != nil {
		return "", err
	}
	return string(read.Data[key]), nil
}
