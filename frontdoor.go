// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"fmt"
	"maps"
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

// HandleRequest checks what the SDK would let pass, or would refuse with the value in its message, and only then hands the
// request to it.
func (b *backend) HandleRequest(ctx context.Context, req *logical.Request) (resp *logical.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			// A panic would end the process, and with it every mount of this plugin. Its value may hold anything, so only its
			// type is logged.
			b.Logger().Error("a request ended in a panic: please report this", "operation", req.Operation,
				"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			resp, err = nil, logical.CodedError(500, "internal error: see the server log")
		}
	}()
	if wrong := b.checkRequest(req); wrong != nil {
		return logical.ErrorResponse(wrong.Error()), nil
	}
	return b.Backend.HandleRequest(ctx, req)
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
	case logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation, logical.ListOperation, logical.DeleteOperation:
	default:
		return nil
	}
	if _, name, ok := splitPath(req.Path); ok && !validName(name) {
		return fmt.Errorf("name: %s", nameRule)
	}
	if len(req.Data) == 0 {
		return nil
	}
	path := b.Route(req.Path)
	if path == nil {
		return nil // the SDK answers that the path is unsupported
	}
	if err := checkNames(acceptedFields(path, req.Operation), req.Data); err != nil {
		return err
	}
	_, wrong := decodeParams(path.Fields, req.Data)
	return wrong.err()
}

// splitPath takes a path such as config/<name> apart; ok is false for a list and for paths without a name.
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

// acceptedFields are the parameters that an operation takes: what is captured from the path is none of them.
func acceptedFields(path *framework.Path, op logical.Operation) []string {
	var fields []string
	for field, schema := range path.Fields {
		if takes(path, op) && !isPathField(path, field) && !schema.Deprecated {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	return fields
}

// takes reports whether an operation has parameters. A read has them only where the path answers updates in the same way.
func takes(path *framework.Path, op logical.Operation) bool {
	switch op {
	case logical.CreateOperation, logical.UpdateOperation:
		return true
	case logical.ReadOperation:
		return strings.HasPrefix(path.Pattern, pathToken)
	default:
		return false
	}
}

func isPathField(path *framework.Path, field string) bool {
	return strings.Contains(path.Pattern, "(?P<"+field+">")
}

// vaultsOwn are parameters that Vault, OpenBao and their clients add themselves.
func vaultsOwn(name string) bool {
	return slices.Contains([]string{"list", "help", "scan", "after", "limit", "version"}, name)
}

// checkNames refuses parameters that the operation does not have: a typing error must not pass for a setting.
func checkNames(accepted []string, data map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if slices.Contains(accepted, name) || vaultsOwn(name) {
			continue
		}
		if len(accepted) == 0 {
			return fmt.Errorf("unknown parameter %s: this operation takes none", quoteName(name))
		}
		if meant := closest(name, accepted); meant != "" {
			return fmt.Errorf("unknown parameter %s: did you mean %s?", quoteName(name), meant)
		}
		return fmt.Errorf("unknown parameter %s: this operation takes %s", quoteName(name), strings.Join(accepted, ", "))
	}
	return nil
}

// closest is the accepted name that a typing error would turn into the given one, or "".
func closest(name string, accepted []string) string {
	const typingErrors = 2
	best, meant := typingErrors+1, ""
	for _, candidate := range accepted {
		if d := editDistance(name, candidate, best); d < best {
			best, meant = d, candidate
		}
	}
	return meant
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
