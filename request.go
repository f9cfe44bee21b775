// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// HandleRequest validates what the SDK would accept, or would refuse with the value in its message, and then passes the request
// to the SDK.
func (b *backend) HandleRequest(ctx context.Context, req *logical.Request) (resp *logical.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			prefix, _, _ := splitPath(req.Path)
			resp, err = nil, b.panicked(p, string(req.Operation), prefix)
		}
	}()
	if resp := b.fastRead(req); resp != nil {
		return resp, nil
	}
	b.name.learn(req.MountPoint)
	req = withoutNamespace(req)
	resp, err = b.serve(ctx, req)
	return withExposure(req, resp, err)
}

// panicked logs a panic, and is the error that stands for it: it would end the process, and with it every mount of this plugin.
// Its value may hold anything, so only its type is logged.
func (b *backend) panicked(p any, operation, path string) error {
	b.Logger().Error("a request ended in a panic: please report this", "operation", operation, "path", path,
		"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	return logical.CodedError(http.StatusInternalServerError, "internal error: see the server log")
}

func (b *backend) serve(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	if resp, err := b.validate(req); resp != nil || err != nil {
		if req.Operation == logical.HelpOperation && resp.IsError() {
			// Vault returns only the help text of this response: an error in it would come out as empty help.
			return nil, logical.CodedError(http.StatusBadRequest, resp.Error().Error())
		}
		return resp, err
	}
	resp, err := b.Backend.HandleRequest(ctx, b.normalize(req))
	err = withRepair(err)
	if req.Operation == logical.HelpOperation && resp != nil {
		completeDocument(resp.Data)
	}
	return resp, err
}

// messageExposed ends the refusal of a request whose address may have a secret in it.
const messageExposed = "; what was given is in the address of this request, and so in Vault's audit log now"

// messageShown ends the refusal of a write with a secret in a field that docs/audit.md has Vault show, such as a token where its
// ID belongs.
const messageShown = "; what was given is in Vault's audit log now, if the mount is tuned to show it"

// withExposure adds those to a refusal. The person who mistyped corrects the command, and would not notice.
func withExposure(req *logical.Request, resp *logical.Response, err error) (*logical.Response, error) {
	if err == nil && !resp.IsError() {
		return resp, err
	}
	exposed := ""
	switch {
	case exposesSecret(req):
		exposed = messageExposed
	case isLongerThanID(req.Data[fieldTokenID]), isLongerThanID(req.Data[fieldRejectedTokenID]):
		exposed = messageShown
	}
	if coded, is := errors.AsType[logical.HTTPCodedError](err); is && exposed != "" {
		return nil, logical.CodedError(coded.Code(), err.Error()+exposed)
	}
	if err != nil || exposed == "" {
		return resp, err
	}
	return logical.ErrorResponse(resp.Error().Error() + exposed), nil
}

func isLongerThanID(value any) bool {
	text, _ := value.(string)
	return len(strings.TrimSpace(text)) > len(account.TokenID(""))
}

// exposesSecret reports whether the address of the request has what may be a secret: a parameter of a secret's name, or longer
// than a token_id, or in the path what is too long for a name or has the form of the vendors' short tokens. Only the parameters
// of a write are in its body.
func exposesSecret(req *logical.Request) bool {
	_, name, _ := splitPath(req.Path)
	if len(name) > maxNameLength || len(name) == 40 && strings.Trim(name, "0123456789abcdef") == "" {
		return true
	}
	switch req.Operation {
	case logical.ReadOperation, logical.ListOperation, logical.DeleteOperation:
	default:
		return false
	}
	for field, value := range req.Data {
		if field == fieldToken || slices.Contains(secretFields(), field) || isLongerThanID(value) {
			return true
		}
	}
	return false
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

// normalize returns the request in a form that the SDK accepts: it takes no empty string for an empty set of pairs, and repeats a
// number that is too great for it in its message.
func (b *backend) normalize(req *logical.Request) *logical.Request {
	path, known := b.parameters[routeOf(req.Path)]
	if !known {
		return req
	}
	var data map[string]any
	for field, value := range req.Data {
		better, change := acceptable(path.fields[field], value)
		if !change {
			continue
		}
		if data == nil {
			data = maps.Clone(req.Data)
		}
		data[field] = better
	}
	if data == nil {
		return req
	}
	taken := *req
	taken.Data = data
	return &taken
}

// acceptable is what the SDK gets in place of a value that it does not accept; change is false for every other value.
func acceptable(schema *framework.FieldSchema, value any) (better any, change bool) {
	if schema == nil {
		return nil, false
	}
	switch schema.Type {
	case framework.TypeKVPairs:
		return map[string]any{}, value == ""
	case framework.TypeInt, framework.TypeDurationSecond:
		decoded, _ := decodeValue(schema.Type, value)
		return decoded, decoded == beyondLimits || decoded == -beyondLimits
	default:
		return nil, false
	}
}

// HandleExistenceCheck distinguishes create from update. The SDK would decode the parameters here, before HandleRequest can
// refuse an invalid one, and turn that into an internal error.
func (b *backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checkFound, exists bool, err error) {
	if _, name, ok := splitPath(req.Path); ok && !validName(name) {
		return true, false, nil
	}
	bare := *req
	bare.Data = nil
	checkFound, exists, err = b.Backend.HandleExistenceCheck(ctx, &bare)
	return checkFound, exists, withRepair(err)
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
		return nil // the root: the SDK responds that it is unsupported
	}
	accepted := path.accepted(req.Operation)
	if _, token := req.Data[fieldToken]; token && slices.Contains(accepted, fieldTokenID) && !slices.Contains(accepted, fieldToken) {
		return fmt.Errorf("unknown parameter %q: give its token_id, which vault write %slookup token=- finds",
			fieldToken, req.MountPoint)
	}
	if err := checkNames(accepted, req.Data); err != nil {
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
	// operations are those that the path has.
	operations map[logical.Operation]framework.OperationHandler
	// written are the fields of a write. Fields that are captured from the path are not among them.
	written []string
	// read are the fields of a read, which has some only if an update does the same.
	read []string
}

// can reports whether the path exists and has the operation. Without an existence check a create counts as an update.
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

// quoteName quotes and cuts a parameter's name for a message.
func quoteName(name string) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	return strconv.QuoteToASCII(name)
}
