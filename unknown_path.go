// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
)

// refuseUnknownPath refuses a request for an unknown path or an unsupported operation, with the command that was probably meant,
// and returns nil for every other request. The SDK would return 404, which the vault command hides for a read or a list.
func (b *backend) refuseUnknownPath(req *logical.Request) (*logical.Response, error) {
	done := pastParticiple(req.Operation)
	if done == "" || req.Path == "" && req.Operation == logical.HelpOperation { // Vault itself, or help for the mount
		return nil, nil //nolint:nilnil // not refused
	}
	prefix, name, named := splitPath(req.Path)
	item, bare := b.parameters[route{prefix, true}], b.parameters[route{prefix, false}]
	switch {
	case item == nil && (bare == nil || strings.Contains(req.Path, "/")):
		meant := closest(prefix, b.prefixes())
		if meant == "" {
			return userError("there is no such path: the paths of this engine are %s: see vault path-help %s",
				strings.Join(b.prefixes(), ", "), req.MountPoint)
		}
		return userError("there is no such path: did you mean %s?", b.command(req.MountPoint, meant, name, req.Operation))
	case named && item.can(req.Operation), !named && bare.can(req.Operation):
		return nil, nil //nolint:nilnil // not refused
	case !named && item.can(req.Operation):
		return userError("the name is missing: %s; to list the names: %s",
			b.command(req.MountPoint, prefix, "", req.Operation), b.command(req.MountPoint, prefix, "", logical.ListOperation))
	default:
		return nil, logical.CodedError(http.StatusMethodNotAllowed,
			fmt.Sprintf("this path cannot be %s: use %s", done, b.command(req.MountPoint, prefix, name, req.Operation)))
	}
}

// pastParticiple is the past participle of an operation, for messages; it is "" for operations that only Vault itself performs.
func pastParticiple(op logical.Operation) string {
	switch op {
	case logical.ReadOperation:
		return "read"
	case logical.ListOperation:
		return "listed"
	case logical.CreateOperation, logical.UpdateOperation:
		return "written"
	case logical.PatchOperation:
		return "patched"
	case logical.DeleteOperation:
		return "deleted"
	case logical.HelpOperation:
		return "explained"
	default:
		return ""
	}
}

// prefixes are the first parts of all paths.
func (b *backend) prefixes() []string {
	prefixes := make(map[string]bool)
	for r := range b.parameters {
		prefixes[r.prefix] = true
	}
	return slices.Sorted(maps.Keys(prefixes))
}

// command is the command for an operation on the paths of a prefix, or for the closest operation that they have.
func (b *backend) command(mount, prefix, name string, op logical.Operation) string {
	item, bare := b.parameters[route{prefix, true}], b.parameters[route{prefix, false}]
	if op == logical.ListOperation && item != nil {
		switch {
		case bare.can(op):
		case prefix+"/" == pathToken:
			prefix = strings.TrimSuffix(rolePrefix, "/")
		default:
			prefix = strings.TrimSuffix(configPrefix, "/")
		}
		return "vault list " + mount + prefix
	}
	path, at := mount+prefix, bare
	if item != nil {
		if !validName(name) {
			name = placeholder(op)
		}
		path, at = path+"/"+name, item
	}
	switch {
	case op == logical.HelpOperation:
		return "vault path-help " + path
	case op == logical.DeleteOperation && at.can(op):
		return "vault delete " + path
	case op == logical.DeleteOperation && prefix+"/" == pathToken: // not to print one
		return "vault write " + mount + pathRevoke + placeholder(op) + " token_id=<token_id>"
	case prefix == pathMetrics:
		return "vault read -format=raw " + path
	case prefix == pathLookup:
		return "vault write " + path + " token=-"
	case prefix+"/" == pathRevoke: // typed unchanged, it must not revoke every token
		return "vault write " + path + " token_id=<token_id>"
	case !at.can(logical.ReadOperation):
		return "vault write -f " + path
	case op != logical.ReadOperation && at.operations[logical.CreateOperation] != nil:
		return "vault write " + path + " ..."
	default:
		return "vault read " + path
	}
}

// placeholder stands for a name in a command. Help accepts any name, so that command can be typed unchanged.
func placeholder(op logical.Operation) string {
	if op == logical.HelpOperation {
		return "x"
	}
	return "<name>"
}
