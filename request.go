// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// maxNameLength bounds the names of configs and roles.
const maxNameLength = 128

const nameRule = "must be 1 to 128 letters, digits, '_', '-' or '.', begin and end with a letter, digit or '_', " +
	"and have no two dots in a row"

// HandleRequest validates what the SDK would accept, or would refuse with the value in its message, and then passes the request
// to the SDK.
func (b *backend) HandleRequest(ctx context.Context, req *logical.Request) (resp *logical.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			// A panic would end the process, and with it every mount of this plugin. Its value may hold anything, so only its
			// type is logged.
			prefix, _, _ := splitPath(req.Path)
			b.Logger().Error("a request ended in a panic: please report this", "operation", req.Operation, "path", prefix,
				"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			resp, err = nil, logical.CodedError(500, "internal error: see the server log")
		}
	}()
	if resp := b.fastRead(req); resp != nil {
		return resp, nil
	}
	b.name.learn(req.MountPoint)
	req = withoutNamespace(req)
	if resp, err := b.validate(req); resp != nil || err != nil {
		if req.Operation == logical.HelpOperation && resp.IsError() {
			// Of an answer to path-help Vault passes on the help only: an error in it would come out as no help at all.
			return nil, logical.CodedError(http.StatusBadRequest, resp.Error().Error())
		}
		return resp, err
	}
	resp, err = b.Backend.HandleRequest(ctx, b.normalize(req))
	if req.Operation == logical.HelpOperation && resp != nil {
		completeDocument(resp.Data)
	}
	return resp, err
}

// namespaceHeader names the namespace of a request whose path leaves it out. Vault passes it on to a mount that is tuned with
// -passthrough-request-headers=X-Vault-Namespace.
const namespaceHeader = "X-Vault-Namespace"

// withoutNamespace returns the request with the mount's path as its caller writes it: MountPoint always begins with the
// namespace, and with that in VAULT_NAMESPACE a command that a message advises would name it twice.
func withoutNamespace(req *logical.Request) *logical.Request {
	namespace := strings.Trim(http.Header(req.Headers).Get(namespaceHeader), "/") + "/"
	mount, found := strings.CutPrefix(req.MountPoint, namespace)
	if !found || mount == "" {
		return req
	}
	typed := *req
	typed.MountPoint = mount
	return &typed
}

// validate refuses requests that no path should see.
func (b *backend) validate(req *logical.Request) (*logical.Response, error) {
	if resp, err := b.refuseUnknownPath(req); resp != nil || err != nil {
		return resp, err
	}
	if wrong := b.checkRequest(req); wrong != nil {
		return logical.ErrorResponse(wrong.Error()), nil
	}
	return nil, nil //nolint:nilnil // nothing is wrong with it
}

// normalize returns the request in a form that the SDK accepts: it does not take an empty string for an empty set of pairs.
func (b *backend) normalize(req *logical.Request) *logical.Request {
	path, known := b.parameters[routeOf(req.Path)]
	if !known {
		return req
	}
	var data map[string]any
	for field, value := range req.Data {
		if schema := path.fields[field]; value == "" && schema != nil && schema.Type == framework.TypeKVPairs {
			if data == nil {
				data = maps.Clone(req.Data)
			}
			data[field] = map[string]any{}
		}
	}
	if data == nil {
		return req
	}
	taken := *req
	taken.Data = data
	return &taken
}

// HandleExistenceCheck tells create from update. The SDK would decode the parameters here, before HandleRequest can refuse a
// wrong one, and turn that into an internal error.
func (b *backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checkFound, exists bool, err error) {
	if _, name, ok := splitPath(req.Path); ok && !validName(name) {
		return true, false, nil
	}
	bare := *req
	bare.Data = nil
	return b.Backend.HandleExistenceCheck(ctx, &bare)
}

// checkRequest refuses names outside the rule, unknown parameters, and values of the wrong type.
func (b *backend) checkRequest(req *logical.Request) error {
	switch req.Operation {
	case logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation, logical.ListOperation, logical.DeleteOperation,
		logical.HelpOperation:
	default:
		return nil
	}
	if _, name, named := splitPath(req.Path); named && !validName(name) {
		return fmt.Errorf("name: %s", nameRule)
	}
	if len(req.Data) == 0 {
		return nil
	}
	path, known := b.parameters[routeOf(req.Path)]
	if !known {
		return nil // the root, of which the SDK answers that it is unsupported
	}
	if err := checkNames(path.accepted(req.Operation), req.Data); err != nil {
		return err
	}
	_, wrong := decodeParams(path.fields, req.Data)
	return wrong.err()
}

// route names a path without the name in it: the list of a prefix, or an item under it.
type route struct {
	prefix string
	item   bool
}

func routeOf(path string) route {
	prefix, _, item := splitPath(path)
	return route{prefix, item}
}

// parameters are what the operations of a path take.
type parameters struct {
	fields map[string]*framework.FieldSchema
	// operations are what the path can do.
	operations map[logical.Operation]framework.OperationHandler
	// written are the fields of a write. Fields that are captured from the path are not among them.
	written []string
	// read are the fields of a read, which has some only where the path answers updates in the same way.
	read []string
}

// can reports whether there is such a path, and it can do that. Where nothing tells a create from an update, one is the other.
func (p *parameters) can(op logical.Operation) bool {
	if p == nil {
		return false
	}
	return p.operations[op] != nil || op == logical.HelpOperation ||
		op == logical.CreateOperation && p.operations[logical.UpdateOperation] != nil
}

func (p *parameters) accepted(op logical.Operation) []string {
	switch op {
	case logical.CreateOperation, logical.UpdateOperation:
		return p.written
	case logical.ReadOperation:
		return p.read
	default:
		return nil
	}
}

// parametersOf collects what each path takes from the path table, before the SDK compiles its patterns.
func parametersOf(paths []*framework.Path) map[route]*parameters {
	table := make(map[route]*parameters, len(paths))
	for _, path := range paths {
		p := &parameters{fields: path.Fields, operations: path.Operations}
		for field := range path.Fields {
			if !strings.Contains(path.Pattern, "(?P<"+field+">") {
				p.written = append(p.written, field)
			}
		}
		slices.Sort(p.written)
		if strings.HasPrefix(path.Pattern, pathToken) {
			p.read = p.written
		}
		prefix, _, _ := strings.Cut(strings.TrimSuffix(path.Pattern, "$"), "/")
		table[route{prefix, strings.Contains(path.Pattern, "(?P<")}] = p
	}
	return table
}

// splitPath splits a path such as config/<name>; ok is false for a list and for paths without a name.
func splitPath(path string) (prefix, name string, ok bool) {
	prefix, name, ok = strings.Cut(path, "/")
	return prefix, name, ok && name != ""
}

// validName is the rule for names. Vault's storage and its leases refuse a path with two dots in a row.
func validName(name string) bool {
	if name == "" || len(name) > maxNameLength || strings.Contains(name, "..") {
		return false
	}
	for n := range len(name) {
		inner := n > 0 && n < len(name)-1 && (name[n] == '-' || name[n] == '.')
		if !inner && !isWord(name[n]) {
			return false
		}
	}
	return true
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// isVaultParameter reports whether Vault, OpenBao or one of their clients adds the parameter by itself.
func isVaultParameter(name string) bool {
	return slices.Contains([]string{"list", "help", "scan", "after", "limit", "version"}, name)
}

// checkNames refuses parameters that the operation does not have: a typing error must not pass for a setting.
func checkNames(accepted []string, data map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if slices.Contains(accepted, name) || isVaultParameter(name) {
			continue
		}
		if strings.HasPrefix(name, "-") {
			return fmt.Errorf("unknown parameter %s: options of the vault command stand before the path, "+
				"as in vault read -field=ttl <path>", quoteName(name))
		}
		if name == "data" {
			return fmt.Errorf("unknown parameter %s: the parameters themselves are the JSON, with nothing around them (jq .data)",
				quoteName(name))
		}
		if len(accepted) == 0 {
			return fmt.Errorf("unknown parameter %s: this operation takes none", quoteName(name))
		}
		if meant := cmp.Or(closest(name, accepted), containing(name, accepted)); meant != "" {
			return fmt.Errorf("unknown parameter %s: did you mean %s?", quoteName(name), meant)
		}
		return fmt.Errorf("unknown parameter %s: this operation takes %s", quoteName(name), strings.Join(accepted, ", "))
	}
	return nil
}

// closest is the accepted name that a typing error would turn into the given one, or "".
func closest(name string, accepted []string) string {
	const typingErrors = 2
	return within(typingErrors, name, accepted)
}

// nearest is the accepted name that most likely was meant by a long one, or "".
func nearest(name string, accepted []string) string {
	return cmp.Or(closest(name, accepted), containing(name, accepted), within(2*len(name)/3, name, accepted))
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

// within is the accepted name with the fewest edits from the given one, at most so many, or "".
func within(edits int, name string, accepted []string) string {
	best, meant := edits+1, ""
	for _, candidate := range accepted {
		if d := editDistance(name, candidate, best); d < best {
			best, meant = d, candidate
		}
	}
	return meant
}

// containing are the accepted names that the given one is a part of, such as password where pass is given, or "".
func containing(name string, accepted []string) string {
	const leastPart = 3 // of which a name says something
	if len(name) < leastPart {
		return ""
	}
	whole := slices.DeleteFunc(slices.Clone(accepted), func(candidate string) bool { return !strings.Contains(candidate, name) })
	slices.SortStableFunc(whole, func(a, b string) int { return strings.Index(a, name) - strings.Index(b, name) })
	return strings.Join(whole, " or ")
}

// editDistance counts the letters to insert, drop or replace between a and b; limit is returned for anything that far apart.
func editDistance(a, b string, limit int) int {
	if max(len(a), len(b))-min(len(a), len(b)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for n := range row {
		row[n] = n
	}
	for n := range len(a) {
		diagonal := row[0]
		row[0] = n + 1
		for m := range len(b) {
			cost := 1
			if a[n] == b[m] {
				cost = 0
			}
			diagonal, row[m+1] = row[m+1], min(diagonal+cost, row[m]+1, row[m+1]+1)
		}
	}
	return min(row[len(b)], limit)
}

// quoteName makes a parameter's name fit for a message.
func quoteName(name string) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	return strconv.QuoteToASCII(name)
}
