// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package sample

import (
	"strconv"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
)

// Day writes a day in the life of a mount, with something of everything that a report tells. The token with number 2 is
// revoked at the end of it.
func (l *Log) Day() {
	people := People()
	asha, bina, app, erp, omar := people[0], people[1], people[2], people[3], people[4]
	const mount = "mastersindia/"
	for _, who := range people {
		l.Do(Request{
			By: Caller{Remote: who.Remote}, Operation: "update", Mount: "auth/" + who.Method + "/", Path: "login/x", Login: &who,
		})
	}
	l.Do(Request{
		By: omar, Operation: "create", Mount: mount, Path: "config/gst", Data: map[string]any{
			"preset": "einvoice-production", "username": "api-user", "password": "invented-password",
		},
	})
	l.Do(Request{
		By: omar, Operation: "create", Mount: mount, Path: "role/billing", Data: map[string]any{"config": "gst", "max_ttl": "1h"},
	})
	for n := range 40 {
		l.Read([]Caller{asha, app, erp}[n%3], "billing", Token(1+n/20), "gst")
		l.Wait(time.Duration(7+n%5) * time.Minute)
		if n%4 == 0 {
			l.Other(bina)
		}
	}
	l.Do(Request{
		By: bina, Operation: "read", Mount: mount, Path: "token/billing", Error: "1 error occurred:\n\t* permission denied\n\n",
		Denied: true,
	})
	l.Do(Request{By: Caller{Remote: "198.51.100.7"}, Operation: "read", Mount: mount, Path: "token/billing",
		Error: "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"})
	l.Wait(time.Hour)
	l.Do(Request{By: asha, Operation: "read", Mount: mount, Path: "token/unknown", Answer: map[string]any{
		"error": "role \"unknown\" does not exist",
	}})
	l.Do(Request{By: omar, Operation: "update", Mount: mount, Path: "config/gst",
		Data: map[string]any{"token_url": "https://login.example.com/api/v1/token-auth/", "password": "invented-password"}})
	l.Do(Request{By: erp, Operation: "read", Mount: mount, Path: "token/billing", Wrap: "wrapping-token-1"})
	l.Do(Request{By: asha, Operation: "read", Mount: mount, Path: "token/billing", NoResponse: true})
	l.Wait(20 * time.Minute)
	l.Do(Request{By: omar, Operation: "update", Mount: mount, Path: "rotate/gst", Answer: l.Answer(Token(3), "gst")})
	l.Do(Request{By: omar, Operation: "update", Mount: mount, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{
		l.id(2): map[string]any{"upstream": "unsupported", "valid_until": "2026-03-02T12:00:00Z"},
	}}})
	l.Wait(time.Minute)
	l.Read(app, "billing", Token(4), "gst")
	l.Do(Request{By: omar, Operation: "read", Mount: mount, Path: "status/gst", Answer: map[string]any{"state": "ready"}})
}

// Long writes a log of at least size bytes, of which one request in every is on the mount, by so many callers, with a new token
// after each 200 reads.
func (l *Log) Long(size int64, every, callers int) {
	people := make([]Caller, callers)
	for n := range people {
		text := strconv.Itoa(n)
		people[n] = Caller{
			Name: "approle-" + text, Entity: "22222222-0000-4000-8000-" + text, Method: "approle",
			Remote: "10.9." + strconv.Itoa(n/250%250) + "." + strconv.Itoa(n%250), Policies: []string{"billing", "default"},
		}
	}
	reads := 0
	for n := 0; l.Bytes < size; n++ {
		by := people[l.random.IntN(len(people))]
		if n%every == 0 {
			reads++
			l.Read(by, "role-"+strconv.Itoa(reads%5), Token(reads/200), "gst")
		} else {
			l.Other(by)
		}
		l.Wait(time.Duration(l.random.IntN(100)) * time.Millisecond)
	}
}

func (l *Log) id(n int) string { return entry.TokenID(Token(n)) }
