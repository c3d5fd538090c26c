/* esp_colours.c - which colour is it? an index made and searched on the chip
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "colours.h"
#include "esp_log.h"

static const char *const tag = "colours";
static uint8_t memory[COLOURS_BYTES] __attribute__((aligned(64)));
static colours known;

static void say(uint8_t red, uint8_t green, uint8_t blue) {
    const char *name = "";
    float distance = 0;
    const nigh_status status = colours_near(&known, red, green, blue, &name, &distance);
    if (status != NIGH_OK) {
        ESP_LOGE(tag, "%s", nigh_status_text(status));
        return;
    }
    ESP_LOGI(tag, "%u %u %u is %s", red, green, blue, name);
}

void app_main(void) {
    const nigh_status status = colours_begin(&known, memory);
    ESP_LOGI(tag, "%s", nigh_status_text(status));
    say(250, 10, 10);
    say(0, 120, 120);
    say(200, 200, 190);
}
