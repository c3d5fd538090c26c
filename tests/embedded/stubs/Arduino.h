/* Arduino.h - as much of Arduino's core as a sketch of nigh's needs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_ARDUINO_H
#define NIGH_TEST_ARDUINO_H
#include <stdint.h>

extern "C" {
#include "board.h"
}

struct SerialStub {
    void begin(unsigned long) {}
    int available() { return 0; }
    int parseInt() { return 0; }
    void print(const char *text) { board_text(text); }
    void print(unsigned int number) { board_decimal(number); }
    void println(const char *text) {
        board_text(text);
        board_text("\n");
    }
};
static SerialStub Serial;

void setup();
void loop();

extern "C" int main() {
    setup();
    loop();
    return 0;
}
#endif
