// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
)

// businessEnvelope is the envelope of the vendor's business responses, with 200 in any case. Their data is an object or, in some
// versions, JSON in a string; a login response in it has been reported and never captured.
type businessEnvelope struct {
	Error   bool   `json:"error"`
	Message string `json:"message"`
	Data    string `json:"data"`
}

// enveloped puts the response of a login into the envelope. What comes from a proxy before the vendor stays as it is.
func enveloped(status int, body []byte) (int, []byte) {
	if status >= http.StatusTooManyRequests {
		return status, body
	}
	envelope := businessEnvelope{Data: string(body)}
	if status != http.StatusOK && status != http.StatusCreated {
		var refusal struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		_ = json.Unmarshal(body, &refusal) // other shapes have no message
		message := strings.TrimSuffix(refusal.Error+": "+refusal.Description, ": ")
		envelope = businessEnvelope{Error: true, Message: message}
	}
	wrapped, _ := json.Marshal(envelope) // strings always encode
	return http.StatusOK, wrapped
}
