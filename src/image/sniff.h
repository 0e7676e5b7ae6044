/* SPDX-License-Identifier: MIT */
/** What a file seems to be, from its first bytes, for the message that refuses it. */
#ifndef FIRN_SRC_IMAGE_SNIFF_H
#define FIRN_SRC_IMAGE_SNIFF_H

#include <stddef.h>
#include <stdint.h>

/** "a PNG image", "text", ...; never NULL. */
const char *firn_sniff(const uint8_t *bytes, size_t size);

#endif
