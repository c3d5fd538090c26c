// Flash.ino - which colour is it? an index made on a PC, searched where it lies in flash
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// colours.gen.h was made by: nigh build colours.npy --keys names.txt --metric l2 --m 4 -o c.nigh,
// nigh pack c.nigh -o colours.nigh, python3 embedded/image_header.py colours.nigh > colours.gen.h
#include <nigh.h>

#include "colours.gen.h"

enum { EF = 8, KEY_BYTES = 511 };

static uint8_t memory[4096] __attribute__((aligned(64)));
static nigh_index *index_;
static nigh_session *session;

// Attaching copies nothing: a handle and a session are all that RAM holds.
static nigh_status begin() {
  nigh_session_options options = {};
  uint64_t handle = 0, bytes = 0;
  void *flash = (void *)(uintptr_t)image;  // never stored to: the handle is not writable
  nigh_status status = nigh_attach_bytes(flash, image_bytes, 0, &handle);
  handle = (handle + 63) & ~(uint64_t)63;
  if (status != NIGH_OK || handle > sizeof memory) {
    return status != NIGH_OK ? status : NIGH_E_MEMORY;
  }
  status = nigh_attach(flash, image_bytes, 0, memory, handle, &index_);
  if (status != NIGH_OK) {
    return status;
  }
  options.struct_size = sizeof options;
  options.ef_max = EF;
  options.frontier_max = EF;
  options.flags = NIGH_SESSION_READ;
  status = nigh_session_bytes(index_, &options, &bytes);
  if (status != NIGH_OK) {
    return status;
  }
  return nigh_session_init(index_, &options, memory + handle, sizeof memory - handle, &session);
}

static void say(uint8_t red, uint8_t green, uint8_t blue) {
  const uint8_t rgb[3] = {red, green, blue};
  static char name[KEY_BYTES + 1];
  uint32_t length = 0, found = 0;
  nigh_search_options how = {};
  how.struct_size = sizeof how;
  how.ef = EF;
  const nigh_status status =
      nigh_search(index_, session, rgb, &how, 1, name, &length, 0, 0, &found);
  if (status != NIGH_OK || found != 1) {
    Serial.println(nigh_status_text(status));
    return;
  }
  name[length] = 0;
  Serial.print(red);
  Serial.print(" ");
  Serial.print(green);
  Serial.print(" ");
  Serial.print(blue);
  Serial.print(" is ");
  Serial.println(name);
}

void setup() {
  Serial.begin(115200);
  const nigh_status status = begin();
  Serial.println(nigh_status_text(status));
  if (status == NIGH_OK) {
    say(250, 10, 10);
    say(0, 120, 120);
    say(200, 200, 190);
  }
}

void loop() {}
