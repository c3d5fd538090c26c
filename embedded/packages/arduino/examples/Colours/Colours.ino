// Colours.ino - which colour is it? an index made and searched on the board
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Send three numbers, 0..255, on the serial monitor: red, green and blue.
#include <nigh.h>

#include "colours.h"

static uint8_t memory[COLOURS_BYTES] __attribute__((aligned(64)));
static colours known;

static void say(uint8_t red, uint8_t green, uint8_t blue) {
  const char *name = "";
  float distance = 0;
  const nigh_status status = colours_near(&known, red, green, blue, &name, &distance);
  if (status != NIGH_OK) {
    Serial.println(nigh_status_text(status));
    return;
  }
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
  const nigh_status status = colours_begin(&known, memory);
  Serial.println(nigh_status_text(status));
  say(250, 10, 10);
  say(0, 120, 120);
  say(200, 200, 190);
}

void loop() {
  if (Serial.available() > 0) {
    const int red = Serial.parseInt();
    const int green = Serial.parseInt();
    const int blue = Serial.parseInt();
    say(red, green, blue);
  }
}
