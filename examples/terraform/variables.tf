# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

variable "mount" {
  description = "Where the engine is mounted, without slashes at the ends."
  type        = string
  default     = "mastersindia"
}

variable "roles" {
  description = "The roles by name: the account that each reads, and its limits. max_ttl is in seconds, 0 is none."

  type = map(object({
    config  = string
    lease   = optional(bool, true)
    max_ttl = optional(number, 0)
  }))

  default = {
    billing = { config = "gst" }
    kiosk   = { config = "gst", lease = false }
  }
}
