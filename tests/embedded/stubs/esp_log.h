/* esp_log.h - ESP-IDF's log, as text of the board
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_ESP_LOG_H
#define NIGH_TEST_ESP_LOG_H
#include "stub_printf.h"
#define ESP_LOGI(tag, ...) ((void)(tag), stub_printf(__VA_ARGS__), board_text("\n"))
#define ESP_LOGE(tag, ...) ((void)(tag), stub_printf(__VA_ARGS__), board_text("\n"))

void app_main(void);
int main(void);
int main(void) {
    app_main();
    return 0;
}
#endif
