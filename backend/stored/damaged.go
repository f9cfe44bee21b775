// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package stored

import "errors"

// DamagedError says that an entry cannot be read, and will not be the next time.
type DamagedError struct{ err error }

// Error names the entry.
func (e *DamagedError) Error() string { return e.err.Error() }

// IsDamaged reports whether an error is, or wraps, a DamagedError.
func IsDamaged(err error) bool {
	_, is := errors.AsType[*DamagedError](err)
	return is
}
