// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/stored"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	configHelpSynopsis    = "Manage the upstream accounts."
	configHelpDescription = `
A config is one upstream account: its login endpoint, protocol and credentials.
Secrets are never returned.

    $ vault write mastersindia/config/gst preset=einvoice-production \
        username=api-user password=-

A write that creates a config, or changes what a login sends or where, logs in
once before it stores them, unless verify_connection=false. A write that changes
where secrets are sent must include all secrets. An update changes only the
given fields. A field set to "" is reset to its default.
`
	configListHelpSynopsis    = "List the upstream accounts."
	configListHelpDescription = `
List the upstream accounts. key_info has the protocol, preset, token_url,
username and client_id of each, and whether it is paused.

    $ vault list -detailed mastersindia/config
`
)

func (b *backend) configPaths() []*framework.Path {
	fields := map[string]*framework.FieldSchema{
		fieldName: nameField("config"),
		fieldVerifyConnection: {
			Type: framework.TypeBool, Default: true,
			Description: "Verify the new settings with one login before they are stored. Not stored itself. Default true.",
		},
	}
	shown := make(map[string]*framework.FieldSchema)
	for n := range b.fields {
		f := &b.fields[n]
		fields[f.name] = &framework.FieldSchema{
			Type: f.kind, Description: f.description, DisplayAttrs: &framework.DisplayAttributes{Sensitive: f.sensitive},
			Default: f.documentedDefault(), AllowedValues: f.allowed,
		}
		if !f.sensitive {
			shown[f.name] = inResponse(fields[f.name])
		}
	}
	shown["protocol"].AllowedValues = fields["protocol"].AllowedValues // other fields may be empty
	absent := nameNotFound()
	write := &framework.PathOperation{
		Callback: b.configWrite,
		Summary:  "Create or update an upstream account.",
		Description: "If the settings change what a login sends or where, verifies them with one login before they are stored. " +
			"An update changes only the given fields.",
		Responses: respondsNothing("The account is stored.", append(upstreamFailures(),
			failure{http.StatusBadRequest, "a field is invalid, or the upstream refuses the login: nothing is stored"},
			failure{http.StatusConflict, "the config was changed, or its tokens were revoked, meanwhile: nothing is stored"})...),
		ForwardPerformanceStandby:   true,
		ForwardPerformanceSecondary: true,
	}
	return []*framework.Path{
		{
			Pattern:      "config/" + framework.GenericNameRegex(fieldName),
			DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "config"},
			Fields:       fields,
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.CreateOperation: write,
				logical.UpdateOperation: write,
				logical.ReadOperation: &framework.PathOperation{
					Callback:    b.configRead,
					Summary:     "Read an upstream account, without its secrets.",
					Description: "Returns every setting except " + inWords(secretFields(), "and") + ". Durations are in seconds.",
					Responses:   responds("The account, without its secrets.", shown, absent),
				},
				logical.DeleteOperation: &framework.PathOperation{
					Callback: b.configDelete,
					Summary:  "Delete an upstream account and its tokens.",
					Description: "Reads of its roles then return 400. Tokens that were read stay valid upstream: to end them, " +
						"revoke them first.",
					Responses:                   respondsNothing("The account was deleted."),
					ForwardPerformanceStandby:   true,
					ForwardPerformanceSecondary: true,
				},
			},
			ExistenceCheck:  b.configExists,
			HelpSynopsis:    configHelpSynopsis,
			HelpDescription: configHelpDescription,
		},
		{
			Pattern:      "config/?$",
			DisplayAttrs: display("list", "configs"),
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ListOperation: &framework.PathOperation{
					Callback: b.configList, Summary: configListHelpSynopsis, Description: listDescription,
					Responses: respondsList("upstream accounts", "protocol", "preset", "token_url", "username", "client_id", "paused"),
				},
			},
			HelpSynopsis:    configListHelpSynopsis,
			HelpDescription: configListHelpDescription,
		},
	}
}

// configWrite stores a config in steps, each of which leaves the mount in its old or its new state if the next step fails:
//
//  1. merge the given fields into the stored config, and validate the result
//  2. stop here if nothing changes
//  3. log in with the new settings, if they change what a login sends or where
//  4. store the config under a new generation: from here on the new settings are in force
//  5. update the issuer: tokens and logins of the previous generation end, the token from step 3 is shared
func (b *backend) configWrite(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	p, wrong := decodeParams(d.Schema, req.Data)
	if err := wrong.err(); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	if pauses, _ := p["paused"].(bool); !pauses {
		done, err := b.verifications.lock(ctx, configPrefix+name)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	unlock, err := b.store.lock(ctx, configPrefix+name)
	if err != nil {
		return nil, err
	}
	defer unlock()

	old, err := b.store.config(ctx, name)
	if err != nil {
		return nil, err
	}
	if old == nil && p.text("preset") == "" && p.text("protocol") == "" {
		return b.nothingToUpdate(ctx, req, name)
	}
	next, err := b.merge(old, p)
	if err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	b.cancelVerification(name)
	resp := warnOfPause(req.MountPoint, name, old, next, p)
	warnOfTyping(resp, d.Schema, req.Data)
	p.warnOfJoinedPairs(resp)
	if old != nil && old.equal(next) && !b.store.isUnconfirmed(configPrefix+name) {
		b.warnOfRefusal(resp, req.MountPoint, name)
		warnOfNoLogin(resp, req.MountPoint, name, next, p)
		return warned(resp), nil
	}
	b.setGeneration(old, next)
	b.warnOfLoss(ctx, resp, req.MountPoint, name, old, next, p)

	settings, verify := next.account(name), wantsVerification(old, next, p)
	before := b.tokenToLimit(ctx, name, old, next)
	commit := func(ctx context.Context, token *issuer.Token) error {
		return b.storeConfig(ctx, resp, req.MountPoint, next, settings, token)
	}
	if verify {
		err = b.verify(ctx, old, settings, unlock, commit)
	} else {
		err = commit(ctx, nil)
	}
	if b.store.isUnconfirmed(configPrefix + name) {
		// A write that failed may have reached storage. Reload the settings before the next read, so that the same write again does
		// not find that nothing changes while the previous settings are in force.
		b.issuer.Invalidate(name)
	}
	if err != nil {
		s, _ := b.issuer.Known(name)
		return verificationErrorResponse(req.MountPoint, name, s.Token != nil && !next.Paused, err)
	}
	switch {
	case verify:
	case !next.Paused && (old == nil || old.Generation != next.Generation):
		b.warnUnverified(resp, req.MountPoint, name, old == nil)
	default:
		warnOfNoLogin(resp, req.MountPoint, name, next, p)
	}
	b.warnOfShorterLife(resp, req.MountPoint, name, before)
	b.warnOfTwin(ctx, resp, req.MountPoint, name, old, next)
	warnOfSettings(resp, old, next)
	return warned(resp), nil
}

// warnOfLoss warns of what a write over a config loses that its writer may not have meant to lose.
func (b *backend) warnOfLoss(
	ctx context.Context, resp *logical.Response, mount, name string, old, next *config, p params,
) {
	b.warnOfReplacement(resp, old, next, p)
	b.warnOfLostHeaders(resp, mount+configPrefix+name, old, next, p)
	b.warnOfLostRefresh(ctx, resp, mount, name, old, next)
}

// warnOfNoLogin warns of a write that was to see whether the account logs in, and changed nothing that a login needs.
func warnOfNoLogin(resp *logical.Response, mount, name string, next *config, p params) {
	if wanted, _ := p[fieldVerifyConnection].(bool); wanted && !next.Paused {
		resp.AddWarning(fmt.Sprintf("No login was made, as this write changes nothing that a login sends: to log in now: "+
			"vault write -f %srotate/%s", mount, name))
	}
}

// storeConfig does steps 4 and 5 of configWrite. token is what the verification brought; nil for none.
func (b *backend) storeConfig(
	ctx context.Context, resp *logical.Response, mount string, next *config, settings *issuer.Account, token *issuer.Token,
) error {
	ctx, cancel := issuer.Outlasting(ctx)
	defer cancel()
	if err := b.store.putConfig(ctx, settings.Name, next); err != nil {
		return err
	}
	switch err := b.issuer.Update(ctx, settings); {
	case stored.IsDamaged(err):
		resp.AddWarning("The config is stored. The record of its tokens could not be read, and was replaced: tokens that are out " +
			"can no longer be revoked here.")
	case err != nil:
		b.Logger().Warn("the config is stored, the record of its account is not yet", "config", settings.Name, "error", err)
		resp.AddWarning(unsavedWarning(token))
	case token != nil && b.issuer.IsRevoked(settings.Name, token.ID):
		resp.AddWarning("The config is stored. Its login has brought a token that was revoked here, and is not served: have the " +
			"vendor end that token's session, and then: vault write -f " + mount + "rotate/" + settings.Name)
	}
	return nil
}

// warnOfSettings warns of new settings that work, and most likely are not what was meant.
func warnOfSettings(resp *logical.Response, old, next *config) {
	if onDifferentHosts(next) && (old == nil || old.TokenURL != next.TokenURL || old.RefreshURL != next.RefreshURL) {
		resp.AddWarning("The config is stored. Its refresh_url is on a different host than its token_url: " +
			"revoke/ sends refresh tokens there.")
	}
	if weakKey(next) && (old == nil || !weakKey(old) || old.ClientSecret != next.ClientSecret) {
		resp.AddWarning(fmt.Sprintf("The config is stored. Its client_secret has fewer than %d bytes, the minimum for the key that "+
			"signs assertions (RFC 7518). Ask the vendor for a longer one.", leastKey))
	}
}

// tokenToLimit is the token that readers are served, where a write changes how long that may live, and nothing else ends it; nil
// for none, or where storage does not give it in time.
func (b *backend) tokenToLimit(ctx context.Context, name string, old, next *config) *issuer.Token {
	if old == nil || next.Paused || old.Generation != next.Generation ||
		old.MaxTokenTTL == next.MaxTokenTTL && old.DefaultTokenTTL == next.DefaultTokenTTL {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, adviceWait)
	defer cancel()
	s, _ := b.issuer.Status(ctx, name)
	return s.Token
}

// warnOfShorterLife warns of a write that has ended the token that readers were served, or ends it earlier: see tokenToLimit.
func (b *backend) warnOfShorterLife(resp *logical.Response, mount, name string, before *issuer.Token) {
	s, known := b.issuer.Known(name)
	switch {
	case before == nil || !known:
	case s.Token == nil:
		resp.AddWarning(fmt.Sprintf("The config is stored. Its token is older than it now may be, and is out of use. "+
			"vault read %sstatus/%s says: %s", mount, name, statusMessage(mount, name, s, b.clock().Wall)))
	case s.Token.ID == before.ID && s.Token.ExpiresAt.Before(before.ExpiresAt):
		resp.AddWarning(fmt.Sprintf("The config is stored. Its token is served until %s, and no longer until %s, when leases that "+
			"were given before may end; to see when it is replaced: vault read %sstatus/%s",
			timeText(s.Token.ExpiresAt), timeText(before.ExpiresAt), mount, name))
	}
}

// warnUnverified warns of settings that no login has verified. isNew says that there was no config before.
func (b *backend) warnUnverified(resp *logical.Response, mount, name string, isNew bool) {
	switch s, known := b.issuer.Known(name); {
	case known && s.Held:
		resp.AddWarning("The config is stored, its login was not verified, and none is made yet: " +
			statusMessage(mount, name, s, b.clock().Wall))
	case !isNew:
		resp.AddWarning("The config is stored, and its login was not verified: tokens from before are out of use, and the next " +
			"read logs in.")
	}
}

// warnOfLostRefresh warns of a write that changes where refresh tokens go: those of the tokens that are out go nowhere else.
func (b *backend) warnOfLostRefresh(ctx context.Context, resp *logical.Response, mount, name string, old, next *config) {
	if old == nil || sameRefreshTarget(old, next) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, adviceWait)
	defer cancel()
	known, _ := b.issuer.Tokens(ctx, name) // of tokens that cannot be read nothing can be said
	lost, pending := 0, []string(nil)
	for id, t := range known.Out {
		switch outcome, _ := t.Token.Revocation(); {
		case !t.Revocable:
		case outcome == account.Unknown:
			pending = append(pending, id)
		default: // one that the upstream has refused could be revoked again until now
			lost++
		}
	}
	if lost > 0 {
		resp.AddWarning(fmt.Sprintf("The config is stored. %d of its tokens can no longer be revoked upstream, since their refresh "+
			"tokens go nowhere else: before such a change, revoke them: vault write -f %srevoke/%s",
			lost, mount, name))
	}
	if len(pending) > 0 {
		resp.AddWarning(pendingWarning(mount, name, pending))
	}
}

// warned is a response that only warns: nil, which is a 204, if it does not.
func warned(resp *logical.Response) *logical.Response {
	if len(resp.Warnings) == 0 {
		return nil
	}
	return resp
}

// warnOfPause warns of a write that gives a reason and does not pause, pauses for the reason of an earlier one, or replaces the
// reason of a pause that goes on; of one that resumes the account and may not mean to; and of new settings that no login has
// verified, since the account is paused.
func warnOfPause(mount, name string, old, next *config, p params) *logical.Response {
	resp := new(logical.Response)
	secretGiven := slices.ContainsFunc(secretFields(), p.named)
	switch {
	case old == nil || !old.Paused && !next.Paused:
	case old.Paused && next.Paused: // as by a loop that pauses all
		if p.named("paused") && old.PauseReason != "" && old.PauseReason != next.PauseReason {
			resp.AddWarning(fmt.Sprintf("Config %s was paused already%s, and that reason is replaced now.",
				name, reasonText(old.PauseReason)))
		}
	case old.Paused && (p.named("protocol") || p.named("preset") || !secretGiven && old.PauseReason != ""):
		// Of another config than the one that was meant, or by an export from before the pause.
		resp.AddWarning(fmt.Sprintf("The config was paused%s and is resumed now: to pause it again: "+
			"vault write %sconfig/%s paused=true pause_reason=...", reasonText(old.PauseReason), mount, name))
	case next.Paused && next.PauseReason != "" && !p.named("pause_reason"):
		resp.AddWarning(fmt.Sprintf("The config is paused, and its pause_reason is the earlier one%s: to change it: "+
			"vault write %sconfig/%s pause_reason=...", reasonText(next.PauseReason), mount, name))
	}
	if p.text("pause_reason") != "" && !p.named("paused") && !next.Paused {
		resp.AddWarning(fmt.Sprintf("The config is not paused: to pause it: vault write %sconfig/%s paused=true", mount, name))
	}
	active := *next
	active.Paused = false
	if next.Paused && wantsVerification(old, &active, p) {
		resp.AddWarning(fmt.Sprintf("The config is stored, and its login was not verified, since it is paused: after you resume it, "+
			"see whether it logs in: vault write -f %srotate/%s", mount, name))
	}
	return resp
}

// warnOfReplacement warns of a write over the config of another account, most likely one that got the wrong name: the roles of
// the config return the new account's token, and secrets that the new protocol does not use are lost; and of other settings that
// were given empty.
func (b *backend) warnOfReplacement(resp *logical.Response, old, next *config, p params) {
	if old == nil {
		return
	}
	var changed, deleted, others []string
	for n := range b.fields {
		f := &b.fields[n]
		switch {
		case f.empty(old):
		case f.sensitive && f.empty(next):
			deleted = append(deleted, f.name)
		case f.identifies && f.value(old) != f.value(next):
			changed = append(changed, f.name)
		case f.kind != framework.TypeKVPairs && f.name != "pause_reason" && f.value(old) != f.value(next):
			others = append(others, f.name)
		}
	}
	p.warnOfReset(resp, others)
	if len(changed) > 0 {
		resp.AddWarning(fmt.Sprintf("The config was of another account: its %s changed, and its roles return the token of the "+
			"new account.", inWords(changed, "and")))
	}
	if len(deleted) > 0 {
		resp.AddWarning(fmt.Sprintf("The config was of protocol %s: its %s was deleted.", old.Protocol, inWords(deleted, "and")))
	}
}

// warnOfLostHeaders names the headers that a write of others has left out, most likely one that was to add some: to those there
// were, or to those of the preset that the same write names.
func (b *backend) warnOfLostHeaders(resp *logical.Response, path string, old, next *config, p params) {
	before := old
	if filled := findPreset(b.presets, p.text("preset")); filled != nil {
		before = &config{Headers: filled.headers, RefreshHeaders: filled.refreshHeaders}
	}
	if before == nil {
		return
	}
	if p.named("headers") {
		warnOfLostPairs(resp, path, "headers", before.Headers, next.Headers)
	}
	if p.named(upstream.FieldRefreshHeaders) {
		warnOfLostPairs(resp, path, upstream.FieldRefreshHeaders, before.RefreshHeaders, next.RefreshHeaders)
	}
}

// warnOfTwin warns of an account that is in use by another config already, where each login may end the token of the other
// config, and of other configs of the same user that do not have its secrets: all if these were changed, else those at its host.
func (b *backend) warnOfTwin(ctx context.Context, resp *logical.Response, mount, name string, old, next *config) {
	mine := next.account(name).Upstream
	isNew := old == nil || !slices.Equal(loginNames(old.account(name).Upstream), loginNames(mine))
	isChanged := old != nil && hasOtherSecret(old.account(name).Upstream, mine)
	if !isNew && !isChanged {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, adviceWait)
	defer cancel()
	names, _ := b.store.list(ctx, configPrefix) // without them there is nothing to warn of
	var outdated []string
	twin, unread := "", 0
	for _, other := range names {
		if other == name {
			continue
		}
		var theirs upstream.Account
		s, known := b.issuer.Known(other)
		if known {
			theirs = s.Account.Upstream
		} else if isChanged && unread < mostConfigsRead {
			unread++
			if c, err := b.store.config(ctx, other); c != nil && err == nil {
				theirs = c.account(other).Upstream
			}
		}
		if hasOtherSecret(theirs, mine) && (isChanged || hostOf(theirs.TokenURL) == hostOf(mine.TokenURL)) {
			outdated = append(outdated, other)
		}
		if known && slices.Equal(loginNames(theirs), loginNames(mine)) {
			twin = cmp.Or(twin, other)
		}
	}
	if isNew && twin != "" {
		resp.AddWarning(fmt.Sprintf("The config is stored. Config %s logs in to the same account: if that has a single session, each "+
			"login ends the token of the other; if it repeats its token, this config cannot know when that ends. "+
			"One config can serve all roles: vault write %srole/... config=%s", twin, mount, twin))
	}
	if len(outdated) > 0 {
		resp.AddWarning(fmt.Sprintf("The config is stored. Others have the same username or client_id, and other secrets: %s. "+
			"If these have ended, change each: vault write %sconfig/%s ...", firstOf(outdated, true), mount, outdated[0]))
	}
}

// hasOtherSecret reports whether two accounts of the same user or client have different secrets, at whatever URL and for whatever
// scope.
func hasOtherSecret(x, y upstream.Account) bool {
	return x.Username == y.Username && x.Username != "" && x.Password != y.Password ||
		x.ClientID == y.ClientID && x.ClientID != "" && x.ClientSecret != y.ClientSecret
}

// loginNames are what a login names the account by: all but its secrets.
func loginNames(u upstream.Account) []string {
	names := []string{u.TokenURL, u.Scope}
	for _, c := range u.Credentials() {
		if !c.Secret {
			names = append(names, c.Value)
		}
	}
	return names
}

// warnOfRefusal warns of a write that changes nothing, while the upstream refuses these settings: it would look like a success.
func (b *backend) warnOfRefusal(resp *logical.Response, mount, name string) {
	if s, known := b.issuer.Known(name); known && s.Failure.Refused() && !s.Account.Paused {
		resp.AddWarning(fmt.Sprintf("Nothing was changed, and no login was made: the upstream has refused these settings. If they are "+
			"correct by now: vault write -f %srotate/%s", mount, name))
	}
}

// unsavedWarning is the warning for a stored config whose record Vault's storage has not taken; that is tried again every minute.
func unsavedWarning(token *issuer.Token) string {
	if token != nil {
		return "The config is stored. Its token is not stored yet: until Vault's storage takes it, a restart would log in again."
	}
	return "The config is stored. The record of its account is not yet: until Vault's storage takes it, there is no login."
}

// onDifferentHosts reports whether the endpoints are on two hosts. Most likely one comes from a preset, and the write gave only
// the other.
func onDifferentHosts(c *config) bool {
	login, err := url.Parse(c.TokenURL)
	if err != nil || c.RefreshURL == "" {
		return false
	}
	refresh, err := url.Parse(c.RefreshURL)
	return err == nil && !strings.EqualFold(login.Hostname(), refresh.Hostname())
}

// leastKey is the shortest key that RFC 7518, section 3.2, allows for HS256, in bytes.
const leastKey = 32

// weakKey reports whether the config signs with a secret that is shorter than that.
func weakKey(c *config) bool {
	return c.RequestFormat == string(upstream.Assertion) && len(c.ClientSecret) < leastKey
}

// setGeneration sets a new generation if the login changes, and the time if the credentials do.
func (b *backend) setGeneration(old, next *config) {
	if old == nil || !sameLogin(old, next) {
		next.Generation = rand.Text()
	}
	if old == nil || !old.sameCredentials(next) {
		next.CredentialsUpdatedAt = b.clock().Wall
	}
}

func sameLogin(a, b *config) bool {
	one, other := a.account("").Upstream, b.account("").Upstream
	return account.SameLogin(&one, &other)
}

func sameRefreshTarget(a, b *config) bool {
	one, other := a.account("").Upstream, b.account("").Upstream
	return account.SameRefreshTarget(&one, &other)
}

func (b *backend) configRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	c, err := b.store.config(ctx, name)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return absentEntry(b.roleNotConfig(ctx, req, name))
	}
	data := make(map[string]any)
	for n := range b.fields {
		if f := &b.fields[n]; !f.sensitive {
			data[f.name] = f.value(c)
		}
	}
	return &logical.Response{Data: data}, nil
}

// configDelete updates storage before the issuer, so that a login which begins in between finds no config.
func (b *backend) configDelete(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	unlock, err := b.store.lock(ctx, configPrefix+name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	b.cancelVerification(name)
	ctx, cancel := issuer.Outlasting(ctx)
	defer cancel()
	left := b.leftBehind(ctx, req.MountPoint, name)
	if err := b.store.deleteConfig(ctx, name); err != nil {
		b.issuer.Invalidate(name) // it may have been deleted in spite of the error
		return nil, err
	}
	if err := b.issuer.Remove(ctx, name); err != nil {
		left.AddWarning(fmt.Sprintf("The config is deleted. Vault's storage has not deleted the record of its tokens yet (%v); "+
			"they are served no more.", err))
	}
	return warned(left), nil
}

// mostConfigsRead bounds the configs that are read to find what to warn of, beside those in memory.
const mostConfigsRead = 256

// adviceWait bounds how long a request is held up to find out what to warn of or to advise.
const adviceWait = 2 * time.Second

// leftBehind warns of what remains of a config that is about to be deleted: roles whose reads fail from then on, and tokens that
// are valid upstream. What cannot be read is not warned of, since storage that fails must not keep a config from being deleted.
func (b *backend) leftBehind(ctx context.Context, mount, name string) *logical.Response {
	ctx, cancel := context.WithTimeout(ctx, adviceWait)
	defer cancel()
	resp := new(logical.Response)
	c, err := b.store.config(ctx, name)
	if c == nil && err == nil {
		resp.AddWarning(b.nothingDeleted(ctx, mount, configPrefix, name))
		return resp
	}
	switch roles, unsearched, err := b.rolesOf(ctx, name); {
	case len(roles) > 0:
		resp.AddWarning(fmt.Sprintf("Reads of these roles fail now, since they name the deleted config: %s. To delete a role: "+
			"vault delete %srole/%s; to move it to another config: vault write %srole/%s config=...",
			firstOf(roles, unsearched == 0), mount, roles[0], mount, roles[0]))
	case err == nil && unsearched > 0:
		resp.AddWarning(fmt.Sprintf("Reads of roles that name the deleted config fail now. None of those searched does; not searched: "+
			"%d. To list all: vault list %srole", unsearched, mount))
	}
	known, _ := b.issuer.Tokens(ctx, name)
	alive, pending, until, revocable := 0, []string(nil), time.Time{}, false
	for id, t := range known.Out {
		switch outcome, _ := t.Token.Revocation(); {
		case outcome == account.Killed:
		case outcome == account.Unknown && t.Revocable:
			pending = append(pending, id)
		default:
			alive, revocable = alive+1, revocable || t.Revocable && outcome == ""
			if end := t.Token.ValidUntil(); end.After(until) {
				until = end
			}
		}
	}
	if len(pending) > 0 {
		resp.AddWarning(pendingWarning(mount, name, pending))
	}
	if alive > 0 {
		resp.AddWarning(aliveWarning(mount, name, alive, until, revocable))
	}
	return resp
}

// pendingWarning says that the upstream goes on being asked to revoke tokens under settings that are no longer in force.
func pendingWarning(mount, name string, tokenIDs []string) string {
	slices.Sort(tokenIDs)
	return fmt.Sprintf("Revoked tokens of config %s may still be valid upstream (%s): the engine goes on asking for their "+
		"revocation, with the former settings, until another node leads, or the plugin restarts. To see the result of each: "+
		"vault write -field=advice %slookup token_id=...", name, firstOf(tokenIDs, true), mount)
}

// firstOf names the first few of names, which may not be all.
func firstOf(names []string, all bool) string {
	more := ""
	if n := len(names) - mostNamed; n > 0 {
		names, more = names[:mostNamed], fmt.Sprintf(" and %d more", n)
	} else if !all {
		more = " and perhaps more"
	}
	return strings.Join(names, ", ") + more
}

// aliveWarning says that tokens of a deleted config live on, and what could have been done before.
func aliveWarning(mount, name string, alive int, until time.Time, revocable bool) string {
	before := "they could not have been revoked here before either"
	if revocable {
		before = "before you delete a config, revoke its tokens: vault write -f " + mount + pathRevoke + name
	}
	return fmt.Sprintf("Deleting a config revokes nothing: %d of its tokens may be valid upstream until %s, and only the vendor "+
		"can end them now; %s. To list them: vault read %sledger/%s", alive, timeText(until), before, mount, name)
}

func (b *backend) configList(ctx context.Context, _ *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	names, err := b.store.list(ctx, configPrefix)
	if err != nil {
		return nil, err
	}
	return b.listEntries(names, func(_ int, name string) (map[string]any, error) {
		c, err := b.store.config(ctx, name)
		if c == nil {
			return nil, err
		}
		return map[string]any{
			"protocol": c.Protocol, "preset": c.Preset, "token_url": c.TokenURL, "username": c.Username,
			"client_id": c.ClientID, "paused": c.Paused,
		}, nil
	})
}

func (b *backend) configExists(ctx context.Context, _ *logical.Request, d *framework.FieldData) (bool, error) {
	c, err := b.store.config(ctx, d.Get(fieldName).(string)) //nolint:forcetypeassert // captured from the path
	return c != nil, err
}

// canRevokeUpstream reports whether revoke/ can revoke a token of the account upstream.
func canRevokeUpstream(a *issuer.Account) bool { return a.Upstream.CanRefresh() }
