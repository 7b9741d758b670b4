/* frames.h - frames of LoRaWAN devices that no network server decoded: a jq program for each kind
 * of device makes members of bytes.
 *
 * A decoder is a file, of connectors/decoders/ or the administrator's own. Its input is
 * {"bytes": [0..255, ...], "port": number or null, "argument": text}; lib/bytes.jq reads numbers
 * out of that. It gives one object of members, as a network server's decoder would; nothing, or an
 * error with words, when the frame is none that it knows. An error that begins with "the argument
 * must" is about the block: before any frame it is asked for an empty one, and whether it says so.
 * Which decoder a device has the block says
 * (device-decoders), by names that the mapping knows: profile, model, identifier, EUI. */
#ifndef HOST_FRAMES_H
#define HOST_FRAMES_H

#include "base/compiler.h"

#include <jv.h>
#include <stdbool.h>
#include <stdio.h>

struct connector_conf;
struct frames;

/* Compiles the decoders of the block, and asks each about its argument. NULL after having said on
 * complaints what is wrong. */
struct frames *frames_new(const struct connector_conf *k, const char *lib_dir, FILE *complaints);
void frames_free(struct frames *f);

/* Takes question over: {"names": [texts], "port": number, "base64" or "hex": text}. Gives
 * {"members": object}, {"refused": why}, or null when no rule of the block fits a name. */
jv frames_decode(struct frames *f, jv question);

/* The bytes of a text in base64 (also that of URLs, also without padding) or hexadecimal, as an
 * array of numbers; invalid when it is not, or longer than LIMIT_CONNECT_FRAME_BYTES. */
jv frames_bytes(const char *text, size_t n, bool hex);

#endif
