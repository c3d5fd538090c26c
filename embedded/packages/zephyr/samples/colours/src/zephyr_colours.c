/* zephyr_colours.c - which colour is it? an index made and searched on the device
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <zephyr/kernel.h>

#include "colours.h"

static uint8_t memory[COLOURS_BYTES] __aligned(64);
static colours known;

static void say(uint8_t red, uint8_t green, uint8_t blue) {
    const char *name = "";
    float distance = 0;
    const nigh_status status = colours_near(&known, red, green, blue, &name, &distance);
    if (status != NIGH_OK) {
        printk("%s\n", nigh_status_text(status));
        return;
    }
    printk("%u %u %u is %s\n", red, green, blue, name);
}

int main(void) {
    const nigh_status status = colours_begin(&known, memory);
    printk("%s\n", nigh_status_text(status));
    say(250, 10, 10);
    say(0, 120, 120);
    say(200, 200, 190);
    return 0;
}
