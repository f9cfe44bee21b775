// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"vault-plugin-secrets-mastersindia/internal/shell"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const (
	// roleSchema is the version of role that this code writes. Every version ever released stays readable.
	roleSchema = 1

	roleHelpSynopsis    = "Manage the roles through which applications read tokens."
	roleHelpDescription = `
A role names the config whose token its readers get, and limits their leases.

    $ vault write mastersindia/role/billing config=gst
    $ vault read mastersindia/token/billing

All roles of a config share its token. The metadata of a role is returned with
it.

    $ vault write mastersindia/role/fastag config=gst metadata=productid=arap
`
	roleListHelpSynopsis    = "List the roles."
	roleListHelpDescription = `
List the roles. key_info has the config and limits of each.

    $ vault list -detailed mastersindia/role
`
)

// role is the storage entry of a role. Durations are whole seconds.
type role struct {
	Schema int    `json:"schema"`
	Config string `json:"config"`
	MaxTTL int    `json:"max_ttl"`
	// Lease is false for responses without a lease.
	Lease bool `json:"lease"`
	// Metadata is returned with the token. It is never modified, since readers share it.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// newRole is one with the defaults.
func newRole() *role { return &role{Schema: roleSchema, Lease: true} }

// equal reports whether two roles have the same settings: those that a read shows.
func (r *role) equal(other *role) bool {
	return r.Schema == other.Schema && reflect.DeepEqual(r.data(), other.data())
}

// data is what a read shows.
func (r *role) data() map[string]any {
	metadata := r.Metadata
	if metadata == nil {
		metadata = map[string]string{}
	}
	return map[string]any{"config": r.Config, "max_ttl": r.MaxTTL, "lease": r.Lease, fieldMetadata: metadata}
}

func (b *backend) rolePaths() []*framework.Path {
	fields := map[string]*framework.FieldSchema{
		fieldName: nameField("role"),
		"config": {
			Type: framework.TypeString, Required: true,
			Description: "The config whose token this role returns. It must exist.",
		},
		"max_ttl": {
			Type: framework.TypeDurationSecond, Default: shortDuration(0),
			Description: "Longest lease, in seconds or as a duration. Default 0s: as long as the token and the mount allow.",
		},
		"lease": {
			Type: framework.TypeBool, Default: true,
			Description: "Whether responses have a lease. Set false for very many readers, which use ttl instead. " +
				"Default true.",
		},
		fieldMetadata: {
			Type: framework.TypeKVPairs,
			Description: fmt.Sprintf("Values that API requests need besides the token, as name=value pairs, such as "+
				"gstin=29ABCDE1234F2Z5. Not for secrets: a read returns them. At most %d pairs of %d bytes; a name is a letter, "+
				"then letters, digits, '_' or '-'. An update replaces all; an empty value removes them.", mostMetadata, mostMetadataPair),
		},
	}
	shown := map[string]*framework.FieldSchema{
		"config": inResponse(fields["config"]), "max_ttl": inResponse(fields["max_ttl"]), "lease": inResponse(fields["lease"]),
		fieldMetadata: inResponse(fields[fieldMetadata]),
	}
	absent := nameNotFound()
	write := &framework.PathOperation{
		Callback:    b.roleWrite,
		Summary:     "Create or update a role.",
		Description: "The config must exist. An update changes only the given fields.",
		Responses: respondsNothing("The role is stored.",
			failure{http.StatusBadRequest, "a field is invalid, or the config does not exist"}),
		ForwardPerformanceStandby:   true,
		ForwardPerformanceSecondary: true,
	}
	return []*framework.Path{
		{
			Pattern:      "role/" + framework.GenericNameRegex(fieldName),
			DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "role"},
			Fields:       fields,
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.CreateOperation: write,
				logical.UpdateOperation: write,
				logical.ReadOperation: &framework.PathOperation{
					Callback: b.roleRead, Summary: "Read a role.",
					Description: "Returns the config, the lease settings and the metadata of the role. Durations are in seconds.",
					Responses:   responds("The role.", shown, absent),
				},
				logical.DeleteOperation: &framework.PathOperation{
					Callback:                    b.roleDelete,
					Summary:                     "Delete a role.",
					Description:                 "Existing leases of the role stay valid until they expire.",
					Responses:                   respondsNothing("The role was deleted."),
					ForwardPerformanceStandby:   true,
					ForwardPerformanceSecondary: true,
				},
			},
			ExistenceCheck:  b.roleExists,
			HelpSynopsis:    roleHelpSynopsis,
			HelpDescription: roleHelpDescription,
		},
		{
			Pattern:      "role/?$",
			DisplayAttrs: display("list", "roles"),
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ListOperation: &framework.PathOperation{
					Callback: b.roleList, Summary: roleListHelpSynopsis, Description: listDescription,
					Responses: respondsList("roles", "config", "max_ttl", "lease"),
				},
			},
			HelpSynopsis:    roleListHelpSynopsis,
			HelpDescription: roleListHelpDescription,
		},
	}
}

func (b *backend) roleWrite(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	unlock, err := b.store.lock(ctx, rolePrefix+name)
	if err != nil {
		return nil, err
	}
	defer unlock()

	old, err := b.store.role(ctx, name)
	if err != nil {
		return nil, err
	}
	p, wrong := decodeParams(d.Schema, req.Data)
	if old == nil && len(wrong) == 0 && !p.named("config") {
		// Most likely an update, with the name of the config instead of that of its role, or a misspelt one.
		if resp, err := wrongKind(b.configNotRole(ctx, req, name)); resp != nil || err != nil {
			return resp, err
		}
		if meant := b.nameMeant(ctx, rolePrefix, name); meant != "" {
			return userError("role %q does not exist%s To create it, give its config: config=<config>", name, meant)
		}
	}
	next := mergeRole(old, p)
	checkRole(next, &wrong)
	if err := wrong.err(); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	c, err := b.store.config(ctx, next.Config)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return b.roleWithoutConfig(ctx, req.MountPoint, next.Config)
	}
	if old == nil || !old.equal(next) || b.store.isUnconfirmed(rolePrefix+name) {
		err = b.store.putRole(ctx, name, next)
	}
	b.roles.forget(name) // also where an earlier write that failed may have reached storage
	if err != nil {
		return nil, err
	}
	resp := new(logical.Response)
	warnOfTyping(resp, d.Schema, req.Data)
	p.warnOfJoinedPairs(resp)
	if old != nil {
		b.warnOfChangedRole(ctx, resp, req.MountPoint, name, old, next)
		p.warnOfReset(resp, old.changed(next))
	}
	return warned(resp), nil
}

// changed names the settings of a lease that differ.
func (r *role) changed(next *role) []string {
	var names []string
	if r.MaxTTL != next.MaxTTL {
		names = append(names, "max_ttl")
	}
	if r.Lease != next.Lease {
		names = append(names, "lease")
	}
	return names
}

// warnOfChangedRole names what a role has lost that its writer may not have meant to change.
func (b *backend) warnOfChangedRole(ctx context.Context, resp *logical.Response, mount, name string, old, next *role) {
	warnOfLostPairs(resp, mount+rolePrefix+name, fieldMetadata, old.Metadata, next.Metadata)
	if old.Config == next.Config {
		return
	}
	if former, err := b.store.config(ctx, old.Config); former != nil || err != nil { // else its config was deleted
		resp.AddWarning(fmt.Sprintf("Role %s returned the token of config %s before: to undo this change: "+
			"vault write %srole/%s config=%s", name, old.Config, mount, name, old.Config))
	}
}

// warnOfLostPairs names the pairs of a field that a write of it has left out.
func warnOfLostPairs(resp *logical.Response, path, field string, old, next map[string]string) {
	var lost []string
	for _, name := range slices.Sorted(maps.Keys(old)) {
		isSame := func(other string) bool { return strings.EqualFold(name, other) } // as headers are
		if !slices.ContainsFunc(slices.Collect(maps.Keys(next)), isSame) {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		resp.AddWarning(fmt.Sprintf("There is no %s in %s now, since a write of %s replaces all pairs: to add some, give them "+
			"all: vault write %s %s=...", strings.Join(lost, ", "), field, field, path, field))
	}
}

// mergeRole is what old (nil for a new role) becomes under the parameters.
func mergeRole(old *role, p params) *role {
	next := newRole()
	if old != nil {
		*next = *old
	}
	if p.named("config") {
		next.Config = p.text("config")
	}
	if p.named("max_ttl") {
		next.MaxTTL, _ = p["max_ttl"].(int)
	}
	if value, named := p["lease"]; named {
		lease, given := value.(bool)
		next.Lease = lease || !given
	}
	if p.named(fieldMetadata) {
		next.Metadata, _ = p[fieldMetadata].(map[string]string)
	}
	return next
}

func checkRole(r *role, wrong *problems) {
	switch {
	case r.Config == "":
		wrong.add("config", "is required: the name of the config whose token this role returns, such as config=gst")
	case !validName(r.Config):
		wrong.add("config", "%s", nameRule)
	}
	between(wrong, "max_ttl", r.MaxTTL, 0, mostTokenTTL, "0s for no limit, or from 1s to 9600h")
	if !r.Lease && r.MaxTTL != 0 {
		wrong.add("max_ttl", "limits leases, but with lease=false there are none: set it to 0s")
	}
	for name, value := range r.data() {
		if text, ok := value.(string); ok && name != "config" && (!isOneLine(text) || holdsToken(text)) {
			wrong.add(name, "must be one line of text without a token, which all who read the role would see")
		}
	}
	checkMetadata(r.Metadata, wrong)
}

const (
	fieldMetadata = "metadata"
	// mostMetadata and mostMetadataPair bound what a role adds to a response: the pairs, and the bytes of each.
	mostMetadata     = 32
	mostMetadataPair = 1 << 10
)

// checkMetadata does not repeat a name that is not a plain word: it may be a misplaced secret.
func checkMetadata(metadata map[string]string, wrong *problems) {
	if len(metadata) > mostMetadata {
		wrong.add(fieldMetadata, "must be at most %d pairs", mostMetadata)
	}
	names := slices.Sorted(maps.Keys(metadata))
	for n, name := range names {
		value := metadata[name]
		same := slices.IndexFunc(names[:n], func(other string) bool { return strings.EqualFold(other, name) })
		switch {
		case !isPlainWord(name):
			wrong.add(fieldMetadata, "a name must be a letter, then letters, digits, '_' or '-', as in gstin=29ABCDE1234F2Z5")
			return
		case same >= 0: // clients send them as headers
			wrong.add(fieldMetadata, "has %.64s and %.64s, which are one header: give one of them", names[same], name)
			return
		case len(name)+len(value) > mostMetadataPair:
			wrong.add(fieldMetadata, "%.64s and its value are longer than %d bytes", name, mostMetadataPair)
			return
		case !isOneLine(value):
			wrong.add(fieldMetadata, "the value of %s must be one line of text without control characters", name)
			return
		case holdsToken(value):
			wrong.add(fieldMetadata, "the value of %s contains a token, which all readers of the role would see"+messageShown, name)
			return
		}
	}
}

// isPlainWord reports whether a name can be used in a template and as the name of a header.
func isPlainWord(name string) bool {
	for n, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (n == 0 || r != '_' && r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != ""
}

func (b *backend) roleRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	r, err := b.store.role(ctx, name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return absentEntry(b.configNotRole(ctx, req, name))
	}
	return &logical.Response{Data: r.data()}, nil
}

func (b *backend) roleDelete(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	unlock, err := b.store.lock(ctx, rolePrefix+name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	old, lost := b.store.role(ctx, name)
	err = b.store.deleteRole(ctx, name)
	b.roles.forget(name) // after a failure too: the write may have reached storage
	if err != nil || lost != nil {
		return nil, err
	}
	resp := new(logical.Response)
	if old != nil {
		if arguments := old.arguments(); len(arguments) > 0 { // its settings are lost
			resp.AddWarning(fmt.Sprintf("The role is deleted: to undo this: vault write %srole/%s config=%s %s",
				req.MountPoint, name, old.Config, strings.Join(arguments, " ")))
		}
		return warned(resp), nil
	}
	ctx, cancel := context.WithTimeout(ctx, adviceWait)
	defer cancel()
	resp.AddWarning(b.nothingDeleted(ctx, req.MountPoint, rolePrefix, name))
	return resp, nil
}

// arguments are those of a vault write that makes the role again, besides its config, as a shell takes them.
func (r *role) arguments() []string {
	data, defaults := r.data(), newRole().data()
	defaults["config"] = r.Config
	var given []string
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if reflect.DeepEqual(data[name], defaults[name]) {
			continue
		}
		switch value := data[name].(type) {
		case map[string]string:
			for _, pair := range slices.Sorted(maps.Keys(value)) {
				given = append(given, name+"="+pair+"="+shell.Quote(value[pair]))
			}
		case int: // a duration
			given = append(given, fmt.Sprintf("%s=%ds", name, value))
		default:
			given = append(given, name+"="+shell.Quote(fmt.Sprint(value)))
		}
	}
	return given
}

func (b *backend) roleList(ctx context.Context, _ *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	names, err := b.store.list(ctx, rolePrefix)
	if err != nil {
		return nil, err
	}
	return b.listEntries(names, func(_ int, name string) (map[string]any, error) {
		r, err := b.store.role(ctx, name)
		if r == nil {
			return nil, err
		}
		return map[string]any{"config": r.Config, "max_ttl": r.MaxTTL, "lease": r.Lease}, nil
	})
}

func (b *backend) roleExists(ctx context.Context, _ *logical.Request, d *framework.FieldData) (bool, error) {
	r, err := b.store.role(ctx, d.Get(fieldName).(string)) //nolint:forcetypeassert // captured from the path
	return r != nil, err
}
