// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const (
	// roleSchema is the version of role that this code writes. Every version ever released stays readable.
	roleSchema = 1

	roleHelpSynopsis    = "Manage the roles that applications read tokens through."
	roleHelpDescription = `
A role binds its readers to a config and limits their leases.

    $ vault write mastersindia/role/billing config=gst
    $ vault read mastersindia/token/billing

However many roles name a config, all their readers share its one token.
`
	roleListHelpSynopsis    = "List the roles."
	roleListHelpDescription = `
List the names of the roles. The details of a name are its config and limits.

    $ vault list -detailed mastersindia/role
`
)

// role is the storage entry of a role. Durations are whole seconds.
type role struct {
	Schema int    `json:"schema"`
	Config string `json:"config"`
	MaxTTL int    `json:"max_ttl"`
	// Lease is false for answers without a lease.
	Lease bool `json:"lease"`
}

func (b *backend) rolePaths() []*framework.Path {
	fields := map[string]*framework.FieldSchema{
		fieldName: nameField("role"),
		"config": {
			Type: framework.TypeString, Required: true,
			Description: "Name of the config whose token this role gives. It must exist.",
		},
		"max_ttl": {
			Type: framework.TypeDurationSecond, Default: shortDuration(0),
			Description: "Longest lease, in seconds or as a duration: short leases make clients come back sooner. " +
				"Default 0: as long as the token and the mount allow.",
		},
		"lease": {
			Type: framework.TypeBool, Default: true,
			Description: "Whether answers carry a lease. false is for very many readers: they see the life in expires_in and ttl. " +
				"Default true.",
		},
	}
	shown := map[string]*framework.FieldSchema{
		"config": inResponse(fields["config"]), "max_ttl": inResponse(fields["max_ttl"]), "lease": inResponse(fields["lease"]),
	}
	absent := nameNotFound()
	write := &framework.PathOperation{
		Callback:    b.roleWrite,
		Summary:     "Create or update a role.",
		Description: "The config that it names must exist. An update changes only the fields that it names.",
		Responses: respondsNothing("The role is stored.",
			failure{http.StatusBadRequest, "a field is refused, or the config does not exist"}),
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
					Description: "Gives the config that the role names, and what it says of leases.",
					Responses:   responds("The role.", shown, absent),
				},
				logical.DeleteOperation: &framework.PathOperation{
					Callback:                    b.roleDelete,
					Summary:                     "Delete a role.",
					Description:                 "Leases made through it live on to their end.",
					Responses:                   respondsNothing("The role is gone."),
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
	lock := b.lockFor(rolePrefix + name)
	lock.Lock()
	defer lock.Unlock()

	old, err := b.store.role(ctx, name)
	if err != nil {
		return nil, err
	}
	p, wrong := decodeParams(d.Schema, req.Data)
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
		return userError("config: %q does not exist: create it first with vault write %sconfig/%s preset=..., "+
			"or see vault list %sconfig", next.Config, req.MountPoint, next.Config, req.MountPoint)
	}
	if old != nil && *old == *next {
		return nil, nil //nolint:nilnil // 204
	}
	err = b.store.putRole(ctx, name, next)
	b.roles.forget(name) // after a failure as well: nobody knows what it left
	return nil, err
}

// mergeRole is what old (nil for a new role) becomes under the parameters.
func mergeRole(old *role, p params) *role {
	next := &role{Schema: roleSchema, Lease: true}
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
	return next
}

func checkRole(r *role, wrong *problems) {
	switch {
	case r.Config == "":
		wrong.add("config", "is needed: the name of the config whose token this role gives, such as config=gst")
	case !validName(r.Config):
		wrong.add("config", "%s", nameRule)
	}
	between(wrong, "max_ttl", r.MaxTTL, 0, mostTokenTTL, "0 for no limit, or from 1s to 9600h")
	if !r.Lease && r.MaxTTL != 0 {
		wrong.add("max_ttl", "limits leases, and with lease=false there are none: leave it out, or set it to 0")
	}
}

func (b *backend) roleRead(ctx context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	r, err := b.store.role(ctx, d.Get(fieldName).(string)) //nolint:forcetypeassert // captured from the path
	if err != nil || r == nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"config": r.Config, "max_ttl": r.MaxTTL, "lease": r.Lease}}, nil
}

func (b *backend) roleDelete(ctx context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	lock := b.lockFor(rolePrefix + name)
	lock.Lock()
	defer lock.Unlock()
	err := b.store.deleteRole(ctx, name)
	b.roles.forget(name) // after a failure as well: nobody knows what it left
	return nil, err
}

func (b *backend) roleList(ctx context.Context, _ *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	names, err := b.store.list(ctx, rolePrefix)
	if err != nil {
		return nil, err
	}
	return listEntries(names, func(name string) (map[string]any, error) {
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
