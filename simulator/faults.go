// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// FaultKind says what goes wrong.
type FaultKind string

// What can go wrong.
const (
	FaultDown        FaultKind = "down"        // the connection is dropped without a response
	FaultSlow        FaultKind = "slow"        // the normal response comes after Delay
	FaultThrottled   FaultKind = "throttled"   // 429, with Retry-After where RetryAfter is set
	FaultUnavailable FaultKind = "unavailable" // 503, with Retry-After where RetryAfter is set
	FaultHTML        FaultKind = "html"        // a proxy's HTML page, 504
	FaultCut         FaultKind = "cut"         // the normal response, cut off half-way after the login
	FaultRefuse      FaultKind = "refuse"      // every password is refused, in the vendor's own way
	FaultRedirect    FaultKind = "redirect"    // 302 to RedirectTo
	FaultGarbage     FaultKind = "garbage"     // 200 with bytes that are not UTF-8
	FaultEmpty       FaultKind = "empty"       // 200 with nothing in it
	FaultStall       FaultKind = "stall"       // nothing, now and later, on this connection: see ConnContext
	FaultQuota       FaultKind = "quota"       // a quota is used up: 429 without Retry-After, in the vendor's own way if it has one
)

// FaultKinds lists every kind.
func FaultKinds() []FaultKind {
	return []FaultKind{
		FaultDown, FaultSlow, FaultThrottled, FaultUnavailable, FaultHTML,
		FaultCut, FaultRefuse, FaultRedirect, FaultGarbage, FaultEmpty, FaultStall, FaultQuota,
	}
}

// FaultTarget says which requests a fault hits.
type FaultTarget string

// What a fault can hit.
const (
	OnAuth     FaultTarget = ""         // logins and refreshes
	OnLogin    FaultTarget = "login"    // logins only
	OnRefresh  FaultTarget = "refresh"  // refreshes only
	OnBusiness FaultTarget = "business" // business calls only
)

// Fault is an order that something go wrong.
type Fault struct {
	Kind FaultKind
	// Delay passes before the response, with any kind.
	Delay      time.Duration
	RetryAfter time.Duration // rounded up to whole seconds
	RedirectTo string
	// Remaining is how many requests it hits; 0 means until it is cleared.
	Remaining int
	On        FaultTarget
}

// SetFault orders a fault for a protocol, in the place of the one before; p "" means all, which then share one Remaining.
// Fault{} clears.
func (s *Simulator) SetFault(p Protocol, f Fault) {
	protocols := []Protocol{p}
	if p == "" {
		protocols = Protocols()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range protocols {
		s.faults[p] = &f
	}
}

// takeFault gives the fault that hits this request, if any, and uses one of its turns.
func (s *Simulator) takeFault(at attempt) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults[at.protocol]
	if f == nil || f.Kind == "" || !slices.Contains(f.On.kinds(), at.kind) {
		return Fault{}
	}
	hit := *f
	if f.Remaining == 1 {
		*f = Fault{}
	}
	if f.Remaining > 1 {
		f.Remaining--
	}
	return hit
}

func (t FaultTarget) kinds() []kind {
	switch t {
	case OnAuth:
		return []kind{kindLogin, kindRefresh}
	case OnLogin:
		return []kind{kindLogin}
	case OnRefresh:
		return []kind{kindRefresh}
	case OnBusiness:
		return []kind{kindBusiness}
	default:
		return nil
	}
}

// respond responds to an attempt, normally or with a fault. responded is false if the fault dropped the
// attempt: it was then neither granted nor refused.
func (ex *exchange) respond(at attempt, f Fault) (granted, responded bool) {
	if f.Kind != "" && !ex.wait(f.Delay) {
		ex.drop()
		return false, false
	}
	switch f.Kind {
	case "", FaultSlow:
		return at.respond(), true
	case FaultCut:
		ex.cut = true
		return at.respond(), true
	case FaultRefuse:
		if at.refuse == nil {
			ex.internal(fmt.Errorf("attempts of %s have no refuse", at.protocol))
			return false, false
		}
		at.refuse()
		return false, true
	case FaultQuota:
		if at.quota != nil {
			at.quota()
			return false, false
		}
		ex.fail(Fault{Kind: FaultThrottled})
		return false, false
	default:
		ex.fail(f)
		return false, false
	}
}

// fail sends a response that does not look like the vendor's.
func (ex *exchange) fail(f Fault) {
	switch f.Kind {
	case FaultDown:
		ex.drop()
	case FaultStall:
		ex.stall()
	case FaultThrottled:
		ex.retryAfter(f.RetryAfter)
		ex.json(http.StatusTooManyRequests, map[string]string{"detail": "Request was throttled."}) // as Django REST framework
	case FaultUnavailable:
		ex.retryAfter(f.RetryAfter)
		ex.reply(http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte("Service Unavailable\n"))
	case FaultHTML:
		// Clients of Masters India report such pages, from the proxy before it.
		ex.reply(http.StatusGatewayTimeout, "text/html; charset=utf-8", []byte("<html>\r\n<head><title>504 Gateway Time-out"+
			"</title></head>\r\n<body>\r\n<center><h1>504 Gateway Time-out</h1></center>\r\n</body>\r\n</html>\r\n"))
	case FaultRedirect:
		ex.w.Header().Set("Location", f.RedirectTo)
		ex.reply(http.StatusFound, "text/html; charset=utf-8", nil)
	case FaultGarbage:
		ex.reply(http.StatusOK, "application/json", []byte("{\"token\":\"\xff\xfe\x80\xc3\x28\",\"access_token\":\"\xff\xfe\""))
	case FaultEmpty:
		ex.reply(http.StatusOK, "application/json", nil)
	default:
		ex.internal(fmt.Errorf("fault kind %q is none of %v", f.Kind, FaultKinds()))
	}
}

func (ex *exchange) retryAfter(d time.Duration) {
	if d <= 0 {
		return
	}
	seconds := (d + time.Second - 1) / time.Second
	ex.w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
}
