// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/stored"
)

// nothingDeleted warns that a deletion was of a name which does not exist, most likely a typing error or a name of the other
// kind: what was meant is still in use. A deletion of what is not there succeeds all the same, and also where storage fails here.
func (b *backend) nothingDeleted(ctx context.Context, mount, prefix, name string) string {
	kind := strings.TrimSuffix(prefix, "/")
	next := cmp.Or(b.otherKind(ctx, mount, prefix, name), b.nameMeant(ctx, prefix, name), toList(mount, prefix))
	return fmt.Sprintf("Nothing was deleted: %s %q does not exist%s", kind, name, next)
}

// nameMeant is the end of a message about a name that does not exist: the name that was most likely meant. It is "" where none is
// near, or storage does not give the names in time.
func (b *backend) nameMeant(ctx context.Context, prefix, name string) string {
	ctx, cancel := context.WithTimeout(ctx, adviceWait)
	defer cancel()
	names, _ := b.store.list(ctx, prefix) // without them the rest of the message is the advice
	return didYouMean(closest(name, names))
}

// toList is the end of such a message where no name is near: how to list all.
func toList(mount, prefix string) string {
	return "; to list the names: vault list " + mount + strings.TrimSuffix(prefix, "/")
}

// orCreate goes on with the command to create what does not exist: a name that is near one may be right.
func orCreate(meant string) string {
	if meant == "" {
		return ": create it with"
	}
	return meant + " To create it:"
}

// otherKind says what to delete where the name of a config was given for that of a role, or the other way round; else it is "".
// Who wanted to delete a role is not told how to delete the account.
func (b *backend) otherKind(ctx context.Context, mount, prefix, name string) string {
	if prefix == configPrefix {
		if r, _ := b.roleNamed(ctx, name); r != nil {
			return fmt.Sprintf(": that is a role of config %s; to delete the role: vault delete %srole/%s", r.Config, mount, name)
		}
		return ""
	}
	if c, _ := b.store.config(ctx, name); c == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, adviceWait)
	defer cancel()
	roles, _, _ := b.rolesOf(ctx, name) // without them the list is the advice
	if len(roles) == 0 {
		return ": that is a config, and no role of it was found; to list the roles: vault list " + mount + "role"
	}
	return fmt.Sprintf(": that is a config; its roles are %s: vault delete %srole/%s", strings.Join(roles, ", "), mount, roles[0])
}

const (
	// mostNamed bounds the names in a message.
	mostNamed = 5
	// mostRolesSearched bounds the roles that are read for it.
	mostRolesSearched = 256
)

// roleNamed returns the role whose name was given for that of a config, or nil. A role of a deleted config may have its name:
// that is none.
func (b *backend) roleNamed(ctx context.Context, name string) (*role, error) {
	r, err := b.store.role(ctx, name)
	if err != nil && !stored.IsDamaged(err) {
		return nil, err
	}
	if r == nil || r.Config == name {
		return nil, nil //nolint:nilnil // see above
	}
	return r, nil
}

// roleNotConfig is the message for a read or a write of a config by the name of a role, or "" if it is the name of no role.
func (b *backend) roleNotConfig(ctx context.Context, req *logical.Request, name string) (string, error) {
	r, err := b.roleNamed(ctx, name)
	if r == nil || err != nil {
		return "", err
	}
	prefix, _, _ := splitPath(req.Path)
	return fmt.Sprintf("config %q does not exist: %s", name,
		b.ofRole(ctx, req.MountPoint, r, ": "+b.command(req.MountPoint, prefix, r.Config, req.Operation))), nil
}

// ofRole says of which config a role is, and then what to type; of one that does not exist either, where to look.
func (b *backend) ofRole(ctx context.Context, mount string, r *role, command string) string {
	if c, err := b.store.config(ctx, r.Config); c == nil && err == nil {
		command = ", which " + b.isGone(ctx, mount, r.Config)
	}
	return "that is a role of config " + r.Config + command
}

// isGone says that a config does not exist or, where its tokens are in the ledger, was deleted, and where to look. It does not
// advise to create the config, since the name may be misspelt. Without the ledger its name is all that there is to go by.
func (b *backend) isGone(ctx context.Context, mount, name string) string {
	ctx, cancel := context.WithTimeout(ctx, adviceWait)
	defer cancel()
	if issued, _, _ := b.listIssued(ctx, name); len(issued) > 0 {
		return fmt.Sprintf("was deleted; for its tokens: vault read %sledger/%s", mount, name)
	}
	return "does not exist" + cmp.Or(b.nameMeant(ctx, configPrefix, name), toList(mount, configPrefix))
}

// wrongKind refuses a name of the wrong kind; the message is "" for any other, which is not refused: a read is a 404 then.
func wrongKind(message string, err error) (*logical.Response, error) {
	if message == "" || err != nil {
		return nil, err
	}
	return logical.ErrorResponse(message), nil
}

// absentEntry is the response to a read of a config or role that does not exist. It stays a 404 where the message has the entry
// that was probably meant: tools that keep configs and roles find out by it that one is gone.
func absentEntry(message string, err error) (*logical.Response, error) {
	if message == "" || err != nil {
		return nil, err
	}
	return nil, logical.CodedError(http.StatusNotFound, message)
}

// configNotFound refuses an unknown config under rotate/ or revoke/, with the correct command if the name is that of a role. The
// command keeps the given parameters: without its token_id it would revoke more than was requested.
func (b *backend) configNotFound(ctx context.Context, mount, prefix, name, parameters string) (*logical.Response, error) {
	r, err := b.roleNamed(ctx, name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return userError("config %q %s", name, b.isGone(ctx, mount, name))
	}
	command := "vault write -f " + mount + prefix + r.Config
	if parameters != "" {
		command = "vault write " + mount + prefix + r.Config + " " + parameters
	}
	return userError("config %q does not exist: %s", name,
		b.ofRole(ctx, mount, r, ", whose token all its roles share: "+command))
}

// noConfig refuses to read the token of a role whose config does not exist.
func noConfig(mount, name string) (*logical.Response, error) {
	return userError("config %q does not exist: create it with vault write %sconfig/%s preset=... (see vault list %spreset)",
		name, mount, name, mount)
}

// roleNotFound refuses an unknown role under token/, with the roles to read if the name is that of a config.
func (b *backend) roleNotFound(ctx context.Context, req *logical.Request, name string) (*logical.Response, error) {
	if resp, err := wrongKind(b.configNotRole(ctx, req, name)); resp != nil || err != nil {
		return resp, err
	}
	return userError("role %q does not exist%s vault write %srole/%s config=<config>, or see vault list %srole",
		name, orCreate(b.nameMeant(ctx, rolePrefix, name)), req.MountPoint, name, req.MountPoint)
}

// configNotRole is the message for a read or a write of a role by the name of a config, or "" if it is the name of no config.
func (b *backend) configNotRole(ctx context.Context, req *logical.Request, name string) (string, error) {
	c, err := b.store.config(ctx, name)
	if err != nil && !stored.IsDamaged(err) {
		return "", err
	}
	if c == nil {
		return "", nil
	}
	roles, unsearched, err := b.rolesOf(ctx, name)
	if err != nil {
		return "", err
	}
	switch {
	case len(roles) > 0:
	case unsearched > 0:
		return fmt.Sprintf("role %q does not exist: that is a config, and none of the roles searched names it; not searched: %d; "+
			"to list all: vault list %srole", name, unsearched, req.MountPoint), nil
	default:
		return fmt.Sprintf("role %q does not exist: that is a config, and it has no role yet: vault write %srole/%s config=%s",
			name, req.MountPoint, name, name), nil
	}
	prefix, _, _ := splitPath(req.Path)
	return fmt.Sprintf("role %q does not exist: that is a config; its roles are %s: %s",
		name, strings.Join(roles, ", "), b.command(req.MountPoint, prefix, roles[0], req.Operation)), nil
}

// nothingToUpdate refuses an update of a config that does not exist. Most likely its name is misspelt, or that of its role.
func (b *backend) nothingToUpdate(ctx context.Context, req *logical.Request, name string) (*logical.Response, error) {
	if resp, err := wrongKind(b.roleNotConfig(ctx, req, name)); resp != nil || err != nil {
		return resp, err
	}
	next := cmp.Or(b.nameMeant(ctx, configPrefix, name), toList(req.MountPoint, configPrefix))
	return userError("config %q does not exist, so there is nothing to update (%s); to create it, give a protocol, or a preset, "+
		"which sets it: preset=... (see vault list %spreset)", name, strings.TrimPrefix(next, "; "), req.MountPoint)
}

// roleWithoutConfig refuses a role that names a config that does not exist.
func (b *backend) roleWithoutConfig(ctx context.Context, mount, config string) (*logical.Response, error) {
	r, err := b.roleNamed(ctx, config)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return userError("config: %q does not exist: %s", config, b.ofRole(ctx, mount, r, ": use config="+r.Config))
	}
	return userError("config: %q does not exist%s vault write %sconfig/%s preset=..., or see vault list %sconfig",
		config, orCreate(b.nameMeant(ctx, configPrefix, config)), mount, config, mount)
}

// rolesOf returns the first few roles of a config, and how many were not searched: those behind the first ones, and all for which
// there was no time.
func (b *backend) rolesOf(ctx context.Context, config string) (roles []string, unsearched int, err error) {
	names, err := b.store.list(ctx, rolePrefix)
	if err != nil {
		return nil, 0, err
	}
	for n, name := range names {
		if n == mostRolesSearched || len(roles) == mostNamed {
			return roles, len(names) - n, nil
		}
		r, err := b.store.role(ctx, name)
		if ctx.Err() != nil {
			return roles, len(names) - n, nil //nolint:nilerr // what has been found is worth more than the reason
		}
		if err != nil && !stored.IsDamaged(err) {
			return nil, 0, err
		}
		if r != nil && r.Config == config {
			roles = append(roles, name)
		}
	}
	return roles, 0, nil
}
