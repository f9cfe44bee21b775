// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	controlBase = "/_simulator/"
	// aliveHeader has the token to check: in a URL it would end up in logs.
	aliveHeader = "X-Simulator-Token"
)

// serveControl serves control requests, from this machine only. Web pages in a browser on this machine are refused as well, by
// their Origin, and by their Host if its name was made to resolve to this machine.
func (s *Simulator) serveControl(ex *exchange) {
	if !fromLoopback(ex.r.RemoteAddr) || !toLoopback(ex.r.Host) {
		ex.controlError(http.StatusForbidden, errors.New("the simulator can be controlled from this machine only: use 127.0.0.1"))
		return
	}
	if err := http.NewCrossOriginProtection().Check(ex.r); err != nil {
		ex.controlError(http.StatusForbidden, errors.New("a web page may not control the simulator"))
		return
	}
	if !ex.readBody() {
		return
	}
	path := strings.TrimPrefix(ex.r.URL.Path+"/", controlBase)
	order, ok := s.orders()[strings.TrimRight(path, "/")]
	if !ok {
		ex.controlError(http.StatusNotFound, errors.New("no such control path; GET /_simulator/ lists them"))
		return
	}
	if ex.r.Method != order.method {
		ex.w.Header().Set("Allow", order.method)
		ex.controlError(http.StatusMethodNotAllowed, fmt.Errorf("use %s", order.method))
		return
	}
	if err := order.serve(ex); err != nil {
		ex.controlError(http.StatusBadRequest, err)
	}
}

// order is a control request to the simulator. An error means a bad request, for which no response was sent yet.
type order struct {
	method string
	serve  func(*exchange) error
}

func (s *Simulator) orders() map[string]order {
	return map[string]order{
		"":         {http.MethodGet, func(ex *exchange) error { ex.text(http.StatusOK, Index()); return nil }},
		"counters": {http.MethodGet, func(ex *exchange) error { ex.json(http.StatusOK, s.Counters()); return nil }},
		"alive":    {http.MethodGet, s.serveAlive},
		"reset":    {http.MethodPost, func(ex *exchange) error { s.ResetCounters(); return ex.done() }},
		"fault":    {http.MethodPost, s.serveFault},
		"clock":    {http.MethodPost, s.serveClock},
		"account":  {http.MethodPost, s.serveAccount},
		"kill":     {http.MethodPost, s.serveKill},
	}
}

func (ex *exchange) controlError(status int, err error) {
	ex.json(status, map[string]string{"error": err.Error()})
}

func (ex *exchange) done() error {
	ex.json(http.StatusOK, map[string]bool{"ok": true})
	return nil
}

func fromLoopback(remote string) bool {
	address, err := netip.ParseAddrPort(remote)
	return err == nil && address.Addr().Unmap().IsLoopback()
}

func toLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || (ip != nil && ip.IsLoopback())
}

func (s *Simulator) serveAlive(ex *exchange) error {
	token := ex.r.Header.Get(aliveHeader)
	if token == "" || strings.Contains(token, " ") {
		return fmt.Errorf("header %q: required, with the access token alone", aliveHeader)
	}
	ex.json(http.StatusOK, map[string]bool{"alive": s.TokenAlive(token)})
	return nil
}

func (s *Simulator) serveFault(ex *exchange) error {
	var in struct {
		Protocol   Protocol    `json:"protocol"`
		Kind       FaultKind   `json:"kind"`
		Delay      string      `json:"delay"`
		RetryAfter string      `json:"retry_after"`
		RedirectTo string      `json:"redirect_to"`
		Remaining  int         `json:"remaining"`
		On         FaultTarget `json:"on"`
	}
	if err := decodeStrict(ex.body, &in); err != nil {
		return err
	}
	if err := checkProtocol(in.Protocol); err != nil {
		return err
	}
	f := Fault{Kind: in.Kind, RedirectTo: in.RedirectTo, Remaining: in.Remaining, On: in.On}
	var err error
	if f.Delay, err = parseDuration("delay", in.Delay); err != nil {
		return err
	}
	if f.RetryAfter, err = parseDuration("retry_after", in.RetryAfter); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	s.SetFault(in.Protocol, f)
	return ex.done()
}

// check names the first field of a fault that makes no sense.
func (f Fault) check() error {
	switch {
	case f.Kind != "" && !slices.Contains(FaultKinds(), f.Kind):
		return fmt.Errorf(`field "kind": want one of %v, or nothing to clear`, FaultKinds())
	case f.Kind == "" && f != (Fault{}):
		return errors.New(`field "kind": required; {} alone clears all faults, and {"protocol":"..."} those of a protocol`)
	case f.Kind != FaultThrottled && f.Kind != FaultUnavailable && f.RetryAfter != 0:
		return errors.New(`field "retry_after": for kinds throttled and unavailable only`)
	case f.Kind != FaultRedirect && f.RedirectTo != "":
		return errors.New(`field "redirect_to": for kind redirect only`)
	case f.Kind == FaultSlow && f.Delay <= 0:
		return errors.New(`field "delay": required for kind slow`)
	case f.Kind == FaultRedirect && !staysHere(f.RedirectTo):
		return errors.New(`field "redirect_to": want a path such as "/elsewhere", ` +
			`or a URL of this machine such as "http://127.0.0.1:8270/elsewhere"`)
	case f.Delay < 0:
		return errors.New(`field "delay": must not be negative`)
	case f.RetryAfter < 0:
		return errors.New(`field "retry_after": must not be negative`)
	case f.Remaining < 0:
		return errors.New(`field "remaining": must not be negative`)
	case f.On.kinds() == nil:
		return fmt.Errorf(`field "on": want one of %v, or nothing for login and refresh`, []FaultTarget{OnLogin, OnRefresh, OnBusiness})
	}
	return nil
}

// staysHere reports whether a client that follows a redirect stays on this machine. A backslash, which some clients read as a
// slash, could hide another host.
func staysHere(location string) bool {
	u, err := url.Parse(location)
	if err != nil || strings.Contains(location, `\`) {
		return false
	}
	if u.Scheme == "" && u.Host == "" {
		return strings.HasPrefix(location, "/")
	}
	return (u.Scheme == "http" || u.Scheme == "https") && toLoopback(u.Host)
}

func checkProtocol(p Protocol) error {
	if p != "" && !slices.Contains(Protocols(), p) {
		return fmt.Errorf(`field "protocol": want one of %v, or nothing for all`, Protocols())
	}
	return nil
}

func (s *Simulator) serveClock(ex *exchange) error {
	var in struct {
		Offset *string `json:"offset"`
	}
	if err := decodeStrict(ex.body, &in); err != nil {
		return err
	}
	if in.Offset == nil {
		return errors.New(`field "offset": required; "0s" sets the clock right`)
	}
	offset, err := parseDuration("offset", *in.Offset)
	if err != nil {
		return err
	}
	s.SetClockOffset(offset)
	ex.json(http.StatusOK, map[string]string{"time": s.clock().UTC().Format(time.RFC3339)})
	return nil
}

func (s *Simulator) serveAccount(ex *exchange) error {
	var a Account
	if err := decodeStrict(ex.body, &a); err != nil {
		return err
	}
	if err := a.Validate(); err != nil {
		return err
	}
	s.SetAccount(a)
	return ex.done()
}

func (s *Simulator) serveKill(ex *exchange) error {
	var in struct {
		Protocol Protocol `json:"protocol"`
		User     string   `json:"user"`
	}
	if err := decodeStrict(ex.body, &in); err != nil {
		return err
	}
	if err := checkProtocol(in.Protocol); err != nil {
		return err
	}
	ex.json(http.StatusOK, map[string]int{"killed": s.KillTokens(in.Protocol, in.User)})
	return nil
}
