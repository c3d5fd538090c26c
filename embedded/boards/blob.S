/* blob.S - a file in flash: -DBLOB=name -DBLOB_FILE="path"
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
    .section .image, "a"
    .globl BLOB
    .globl JOIN(BLOB, _end)
    .balign 64
BLOB:
    .incbin BLOB_FILE
JOIN(BLOB, _end):
    .byte 0 /* so that the end has a place of its own */
#ifdef __ELF__
    .section .note.GNU-stack, "", %progbits
#endif
