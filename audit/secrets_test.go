// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecrets_NeverPrinted(t *testing.T) {
	withoutVault(t)
	data := map[string]any{
		"headers":   map[string]any{"X-Api-Key": "invented-1-key", "Productid": "invented-1-product"},
		"token_url": "https://robot:invented-2@login.example.com/auth?apikey=invented-3#invented-4",
		"proxy_url": "http://robot:inv?ented-5@proxy.example.com:3128", "refresh_headers": "Authorization=Basic invented-6",
		"pause_reason": "see https://robot:invented-7@wiki.example.com/?t=invented-8 and eyJhbGciOiJub25lIn0.eyJpbnZlbnRlZC05.x",
		"passwrod":     "invented-10", "metadata": map[string]any{"gstin": "invented-11"}, "password": "invented-12", "username": "api-user",
	}
	shown := []string{"error", "Productid", "X-Api-Key", "gstin"}
	for name := range data {
		shown = append(shown, name)
	}
	path := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", Data: data})
		l.Do(Request{By: People()[4], Operation: "read", Mount: mountPath, Path: "token/eyJhbGciOiJub25lIn0.eyJpbnZlbnRlZC0xMw.x"})
		l.Do(Request{By: People()[4], Operation: "read", Mount: mountPath, Path: "lookup/" + strings.Repeat("0123456789", 4), Answer: map[string]any{"error": "x"}})
		l.Do(Request{By: People()[4], Operation: "read", Mount: mountPath, Path: "token/x", Error: "https://a:invented-14@b.example.com/c?d=invented-15"})
	}, shown...)
	for _, format := range formats() {
		text := must(t, "", "-format="+format, path)
		if at := strings.Index(text, "nvented-"); at >= 0 || strings.Contains(text, "ented-5") || strings.Contains(text, "eyJhbGci") ||
			strings.Contains(text, "0123456789012") {
			t.Errorf("%s shows a secret: %.60s", format, text[max(at-20, 0):])
		}
		if format != "html" && !strings.Contains(text, "https://"+withheld+"@login.example.com/auth") || !strings.Contains(text, "api-user") {
			t.Errorf("%s does not show where the config points:\n%s", format, text)
		}
	}
	alarms := mustJSON(t, "", path).all("alarms", "message")
	for _, want := range []string{"shows password", "shows authorization", "shows token_url", "shows proxy_url", "shows pause_reason", "a token in a path"} {
		if !strings.Contains(alarms, want) {
			t.Errorf("no alarm that the log %s in %q", want, alarms)
		}
	}
}

func TestAlarm_EverySecretInTheLog(t *testing.T) {
	withoutVault(t)
	for name, request := range map[string]Request{
		"access_token":  {Path: "token/billing", Operation: "read", Answer: map[string]any{"access_token": "invented-1"}},
		"authorization": {Path: "token/billing", Operation: "read", Answer: map[string]any{"authorization": "JWT invented-1", "token_id": "x"}},
		"refresh_token": {Path: "status/gst", Operation: "read", Answer: map[string]any{"account": map[string]any{"refresh_token": "invented-1"}}},
		"token":         {Path: "lookup", Operation: "update", Data: map[string]any{"token": "invented-1"}},
		"password":      {Path: "config/gst", Operation: "update", Data: map[string]any{"password": "invented-1"}},
		"client_secret": {Path: "config/gst", Operation: "update", Data: map[string]any{"nested": map[string]any{"client_secret": "invented-1"}}},
	} {
		request.By, request.Mount = People()[0], mountPath
		if request.Data["token"] != nil {
			name = "token"
		}
		path := logFile(t, func(l *Log) { l.Do(request) }, name)
		for _, format := range formats() {
			r := runWith(t, "", "-format="+format, path)
			if text := r.stdout + r.stderr; !strings.Contains(text, "the log shows "+name+" in clear") || strings.Contains(text, "invented-1") {
				t.Errorf("%s, %s: want an alarm without the secret:\n%s", name, format, text)
			}
		}
	}
	unwrapped := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "wrapping-1"})
		l.Do(Request{By: People()[3], Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": "wrapping-1"}, Answer: l.Answer(Token(1), "gst")})
	}, "access_token")
	if r := mustJSON(t, "", unwrapped); !strings.Contains(r.all("alarms", "message"), "access_token") {
		t.Errorf("an unwrapped token is in clear, and there is no alarm: %v", r["alarms"])
	}
	wantLeak(t, search(t, Token(1), unwrapped), exitOK, "kubernetes-erp-invoices", "")
}

// TestAlarm_TokenInPlaceOfItsID: token_id and rejected_token_id are shown, and a user may give the token itself. It is no token_id.
func TestAlarm_TokenInPlaceOfItsID(t *testing.T) {
	withoutVault(t)
	for path, name := range map[string]string{"token/billing": "rejected_token_id", "lookup": "token_id", "revoke/gst": "token_id"} {
		log := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: path, Data: map[string]any{name: Token(1)},
				Answer: map[string]any{"error": "must be the token_id that came with the token: 16 hex digits"}})
		}, append(tuned(), name)...)
		if got := mustJSON(t, "", log).all("alarms", "message"); !strings.Contains(got, name) {
			t.Errorf("%s: the log shows a token as %s, and the alarms are %q", path, name, got)
		}
	}
}

// TestSecrets_TokenAsParameterOfAConfig: what is shown as token_id is printed only where it is one.
func TestSecrets_TokenAsParameterOfAConfig(t *testing.T) {
	withoutVault(t)
	log := logFile(t, func(l *Log) {
		for _, name := range []string{"token_id", "rejected_token_id"} {
			l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{name: Token(1)},
				Answer: map[string]any{"error": name + ": unknown parameter"}})
		}
	}, append(tuned(), "rejected_token_id")...)
	for _, format := range formats() {
		if text := must(t, "", "-format="+format, log); strings.Contains(text, Token(1)) {
			t.Errorf("%s shows the token", format)
		}
	}
}

// TestSecrets_BehindTheMarkOfAnHMAC: only what the audit device writes, which is 64 hex digits, is taken for an HMAC.
func TestSecrets_BehindTheMarkOfAnHMAC(t *testing.T) {
	withoutVault(t)
	log := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "config/gst", Error: hmacPrefix + " password=invented-1",
			Data: map[string]any{"pause_reason": hmacPrefix + " https://a:invented-2@b.example.com/"}})
	}, append(tuned(), "pause_reason")...)
	for _, format := range formats() {
		if text := must(t, "", "-format="+format, log); strings.Contains(text, "invented-") {
			t.Errorf("%s shows a secret", format)
		}
	}
}

// TestSecrets_AddressOfVault: the address of Vault may have a password, which no message repeats.
func TestSecrets_AddressOfVault(t *testing.T) {
	log := logFile(t, (*Log).Day)
	vaultWith(t, nil)
	t.Setenv("VAULT_ADDR", strings.Replace(os.Getenv("VAULT_ADDR"), "http://", "http://robot:invented-password@", 1))
	for _, args := range [][]string{{"-token-file=-", log}, {"-token-file=-", "-audit-device=other", log}} {
		if r := runWith(t, Token(1), args...); r.code != exitFailed || strings.Contains(r.stderr, "invented-password") {
			t.Errorf("%q: want exit code 1 and no password, got %d: %s", args, r.code, r.stderr)
		}
	}
}

// TestAlarm_SecretThatIsANumber: a password of digits may be given without quotes.
func TestAlarm_SecretThatIsANumber(t *testing.T) {
	withoutVault(t)
	log := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"password": 20261126}})
	}, "password")
	if got := mustJSON(t, "", log).all("alarms", "message"); !strings.Contains(got, "shows password") {
		t.Errorf("want an alarm for the password, got %q", got)
	}
}

// TestAlarm_CredentialInAQuery: a shown URL may have a credential in its query.
func TestAlarm_CredentialInAQuery(t *testing.T) {
	withoutVault(t)
	for query, want := range map[string]bool{"?api_key=invented-1": true, "?a=b&client_secret=invented-1": true, "?appContext=firstvision": false} {
		log := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst",
				Data: map[string]any{"token_url": "https://login.example.com/token" + query}})
		}, tuned()...)
		if got := mustJSON(t, "", log).all("alarms", "message"); strings.Contains(got, "shows token_url") != want {
			t.Errorf("%s: want an alarm %t, got %q", query, want, got)
		}
	}
}

// TestAlarm_SecretInTheRequestURI: Vault logs the query of a request in clear, whatever the mount is tuned to. "vault read" makes one.
func TestAlarm_SecretInTheRequestURI(t *testing.T) {
	withoutVault(t)
	for _, query := range []string{"rejected_token_id=" + Token(1), "rejected_token_id=eyJhbGciOiJub25lIn0.eyJpbnZlbnRlZC0xMw.x", "token=" + Token(1)} {
		text := strings.ReplaceAll(logOf(t, "", readByAsha),
			`"path":"mastersindia/token/billing"`, `"path":"mastersindia/token/billing","request_uri":"/v1/mastersindia/token/billing?`+query+`"`)
		if got := mustJSON(t, text, "-").all("alarms", "message"); !strings.Contains(got, "use vault write") || strings.Contains(got, "audit_non_hmac") {
			t.Errorf("the log shows %s, want an alarm that names the cause, got %q", query, got)
		}
	}
}

// TestAlarm_UnwrappedInClearWithoutItsRead: an unwrapping that shows the token is alarming, wherever the wrapped read is. Its role has
// lease=false, so that no lease tells the mount.
func TestAlarm_UnwrappedInClearWithoutItsRead(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Read(People()[1], "billing", Token(2), "gst")
		l.Do(unwrap(People()[3], "w", l.Answer(Token(1), "gst")))
	}, append(tuned(), "access_token", "token_type")...))
	if got := r.all("alarms", "message"); !strings.Contains(got, "in 2 requests") {
		t.Errorf("want an alarm for two tokens in clear, got %q", got)
	}
	if got := r.all("readings", "who"); !strings.Contains(got, People()[3].Name) {
		t.Errorf("want the unwrapping by %s, got %s", People()[3].Name, got)
	}
}

// TestAlarm_OfARawDevice: what a device with log_raw=true shows is mended at the device, and not at the mount.
func TestAlarm_OfARawDevice(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByAsha, "access_token")
	text = strings.ReplaceAll(text, (&Log{Key: "audit-device-key"}).HMAC("external userpass-asha"), "hvs.CAESIinventedinventedinvented")
	got := mustJSON(t, text, "-").all("alarms", "message")
	if !strings.Contains(got, "client_token") || !strings.Contains(got, "access_token") || strings.Contains(got, "audit_non_hmac") || strings.Count(got, "log_raw") != 2 {
		t.Errorf("want alarms for client_token and access_token that name log_raw, got %q", got)
	}
}

// TestSecrets_HintOfAFile: what the engine tells to type is shown as it is.
func TestSecrets_HintOfAFile(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		for _, text := range []string{"give it from a file as token=@FILE", "username=- password=@file", "password=@filed-invented",
			"client_secret: is not used by protocol jwt", "password: isinvented"} {
			l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "lookup", Error: text})
		}
	}))
	got := r.all("refusals", "error")
	if !strings.Contains(got, "token=@FILE") || !strings.Contains(got, "password=@file;") || !strings.Contains(got, "client_secret: is not used") || strings.Contains(got, "invented") {
		t.Errorf("want both hints and no secret, got %s", got)
	}
}

// TestSecrets_PairsInXMLAndQuotes: SOAP writes passwords as elements, JSON within a text has backslashes, and a password in quotes may have
// spaces.
func TestSecrets_PairsInXMLAndQuotes(t *testing.T) {
	withoutVault(t)
	for _, text := range []string{
		"<password>invented-1</password>", "<ns1:Password>invented-2</ns1:Password>", `the body was {\"password\":\"invented-3\"}`,
		`{"client_secret": "an invented-4 secret"}`, "password='an invented-5 secret'", "Authorization: Token invented-6",
	} {
		path := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: text})
		}, tuned()...)
		if strings.Contains(must(t, "", "-format=csv", path), "invented-") {
			t.Errorf("the report shows the secret of %s", text)
		}
	}
}

// TestAlarm_TokenInAWrapOrError: a wrap, or an error, may show the leaked token. The alarm stays when the wrap was unwrapped.
func TestAlarm_TokenInAWrapOrError(t *testing.T) {
	withoutVault(t)
	people := People()
	for name, fill := range map[string]func(*Log){
		"wrapped": func(l *Log) {
			readByAsha(l)
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w"})
		},
		"unwrapped": func(l *Log) {
			readByAsha(l)
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w"})
			l.Do(unwrap(people[1], "w", map[string]any{"other": Token(1)}))
		},
		"an error": func(l *Log) {
			readByAsha(l)
			l.Do(Request{By: people[0], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"config": "gst"}, Error: "cannot take " + Token(1)})
		},
	} {
		path := logFile(t, fill, append(tuned(), "note")...)
		if r := mustJSON(t, Token(1), "-token-file=-", path); len(r["alarms"]) == 0 {
			t.Errorf("%s: the log shows the token, and there is no alarm", name)
		}
	}
}

// TestSecrets_FieldRefusedForASecret: the engine refuses a field that contains a secret, and the log of a tuned mount shows it. Neither the
// report nor its database has it, also where the response is missing or its error is hashed.
func TestSecrets_FieldRefusedForASecret(t *testing.T) {
	withoutVault(t)
	const secret = "invented-password"
	write := func(name, message string, noResponse bool) func(*Log) {
		return func(l *Log) {
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", NoResponse: noResponse,
				Data: map[string]any{"paused": true, name: "see " + secret}, Answer: map[string]any{"error": message}})
		}
	}
	for name, test := range map[string]struct {
		field, message   string
		hidden, noAnswer bool
		wantAlarm        string
	}{
		"a secret":        {field: "pause_reason", message: "protocol: must be one of them; pause_reason: contains a secret of the config, which all readers of the config would see", wantAlarm: "shows pause_reason in clear"},
		"a token":         {field: "pause_reason", message: "pause_reason: contains a token, which all readers of the config would see: give its token_id", wantAlarm: "shows pause_reason in clear"},
		"before":          {field: "pause_reason", message: "pause_reason: has a secret of the config in it, which all who read the config would see", wantAlarm: "shows pause_reason in clear"},
		"a token, before": {field: "pause_reason", message: "pause_reason: has a token in it, which all who read the config would see", wantAlarm: "shows pause_reason in clear"},
		"hidden error":    {field: "pause_reason", message: "pause_reason: contains a secret of the config", hidden: true},
		"no response":     {field: "pause_reason", noAnswer: true},
	} {
		shown := append(tuned(), test.field)
		if test.hidden {
			shown = []string{test.field}
		}
		path, database := logFile(t, write(test.field, test.message, test.noAnswer), shown...), filepath.Join(t.TempDir(), "audit.db")
		r := mustJSON(t, "", "-db="+database, path)
		stored, err := os.ReadFile(database)
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range formats() {
			if strings.Contains(must(t, "", "-format="+format, path)+string(stored), secret) {
				t.Errorf("%s: %s or the database shows the secret", name, format)
			}
		}
		if alarms := r.all("alarms", "message"); !strings.Contains(alarms, test.wantAlarm) || test.wantAlarm == "" && alarms != "" {
			t.Errorf("%s: want the alarm %q, got %q", name, test.wantAlarm, alarms)
		}
		if written := r.all("requests", "written"); !test.noAnswer && !strings.Contains(written, test.field+"="+withheld) {
			t.Errorf("%s: written is %q", name, written)
		}
	}
	accepted := mustJSON(t, "", logFile(t, write("pause_reason", "", false), append(tuned(), "pause_reason")...))
	if written := accepted.all("requests", "written"); written != "pause_reason=see "+secret+", paused=true" {
		t.Errorf("a reason that the engine accepted is %q", written)
	}
}

// TestSecrets_InTextsOfErrors: an upstream or a user may write a credential into any text.
func TestSecrets_InTextsOfErrors(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		for _, text := range []string{
			"401 for Authorization: Basic aW52ZW50ZWQ6c2VjcmV0", "sent Bearer invented-secret-1", "password=invented-secret-2 is wrong",
			`{"client_secret": "invented-secret-3"}`, "x_api_key=invented-secret-4;a", "refresh_token: invented-secret-5", "hvs.CAESIinventedinventedinventedsecret",
		} {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: text})
			l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"pause_reason": text}})
		}
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/x", Error: "to resume: vault write mastersindia/config/gst password=-"})
	}, append(tuned(), "pause_reason")...)
	for _, format := range formats() {
		text := must(t, "", "-format="+format, path)
		if strings.Contains(text, "invented") || strings.Contains(text, "aW52") || !strings.Contains(text, withheld) {
			t.Errorf("%s shows a secret:\n%s", format, text)
		}
		if !strings.Contains(text, "password=-") {
			t.Errorf("%s does not show the command of an error", format)
		}
	}
}

// TestSecrets_PairsInAnyShape: names and values of secrets are written with quotes, spaces and hyphens.
func TestSecrets_PairsInAnyShape(t *testing.T) {
	withoutVault(t)
	texts := []string{
		"login with password='invented-1' failed", "password = invented-2", `{"client_secret" : "invented-3"}`, "X-Api-Key: invented-4",
		"api-key=invented-5", "password=-invented-6", "access_token => invented-7",
	}
	for _, text := range texts {
		path := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: text})
		}, tuned()...)
		if got := must(t, "", "-format=csv", path); strings.Contains(got, "nvented-") {
			t.Errorf("the report shows the secret of %s", text)
		}
	}
}

// TestDatabase_HasNoSecretsOfOthers: a device with log_raw=true shows what is unwrapped, and a password may be 16 hex digits.
func TestDatabase_HasNoSecretsOfOthers(t *testing.T) {
	withoutVault(t)
	const secret = "0f1e2d3c4b5a6978"
	log := logFile(t, func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[0], Operation: "read", Mount: "kv/", Path: "x", Wrap: "w"})
		l.Do(unwrap(People()[1], "w", map[string]any{"password": secret}))
	}, append(tuned(), "password")...)
	if n := countRows(t, log, "SELECT * FROM named WHERE value = '"+secret+"'"); n > 0 {
		t.Errorf("the database has a password of another engine")
	}
}

// TestSecrets_LeakedTokenInAnAddress: an opaque token in the form that it has in the address of a request is a token.
func TestSecrets_LeakedTokenInAnAddress(t *testing.T) {
	withoutVault(t)
	const leaked = "Ab+/9c==&x'Zz8k7jQQ"
	for _, form := range []string{leaked, url.QueryEscape(leaked), url.PathEscape(leaked)} {
		path := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[1], Operation: "update", Mount: mountPath, Path: "revoke/" + form, Error: "failed: " + form})
		}, tuned()...)
		for _, format := range formats() {
			if r := runWith(t, leaked, "-token-file=-", "-format="+format, path); strings.Contains(r.stdout+r.stderr, form) {
				t.Errorf("%s shows the leaked token as %s", format, form)
			}
		}
	}
}

// TestAlarm_PasswordInAnAddressWithoutScheme: what was meant for a URL and is none has its password in the log all the same.
func TestAlarm_PasswordInAnAddressWithoutScheme(t *testing.T) {
	withoutVault(t)
	for _, address := range []string{"robot:invented-5@proxy.example.com:3128", "http:/robot:invented-5@proxy.example.com", "/auth?password=invented-5"} {
		path := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[1], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"proxy_url": address},
				Answer: map[string]any{"error": "proxy_url: this is no URL"}})
		}, "proxy_url", "error")
		if said := mustJSON(t, "", path).all("alarms", "message"); !strings.Contains(said, "proxy_url") {
			t.Errorf("%s: there is no alarm: %q", address, said)
		}
	}
}

// TestSecrets_TokenGluedToLetters: a token is withheld, and an alarm, whatever is written without a space before or behind it.
func TestSecrets_TokenGluedToLetters(t *testing.T) {
	withoutVault(t)
	hex := strings.Repeat("0123456789", 4)
	for _, form := range []string{hex, "token_" + hex, hex + "_old", "t" + hex, "ABCDEF" + hex, "x-" + hex, "bad" + hex} {
		path := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/" + form, Error: "x"})
		}, tuned()...)
		if r := runWith(t, "", "-format=csv", path); strings.Contains(r.stdout, hex) || !strings.Contains(r.stderr, "a token in a path") {
			t.Errorf("%s: want it withheld and an alarm, got %s%s", form, r.stdout, r.stderr)
		}
	}
	if text := "checksum " + hex + hex[:24]; (&classifier{}).safe(text) != text {
		t.Error("64 digits are no token, and withheld")
	}
}

// TestAlarm_TokenOfVault: a token of Vault or OpenBao in a path or an error is withheld, and an alarm, as one of a vendor.
func TestAlarm_TokenOfVault(t *testing.T) {
	withoutVault(t)
	for _, token := range []string{"hvs.CAESI", "hvb.AAAAAQ", "hvr.CAESI", "s.", "b.AAAAAQ", "r.", "x_hvs.", "x_s."} {
		token += "inventedinventedinvented"
		path := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/" + token, Error: "no role " + token})
		}, tuned()...)
		r := runWith(t, "", "-format=csv", path)
		if strings.Contains(r.stdout+r.stderr, "invented") || !strings.Contains(r.stderr, "a token in a path") || !strings.Contains(r.stderr, "a token in an error") {
			t.Errorf("%s: want it withheld and two alarms, got %s%s", token, r.stdout, r.stderr)
		}
	}
}
