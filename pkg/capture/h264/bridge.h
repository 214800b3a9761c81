#ifndef CAMD_H264_BRIDGE_H
#define CAMD_H264_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

// camd_encoder is one running openh264 and its last access unit.
typedef struct camd_encoder camd_encoder;

// All functions return 0 or one of openh264's CM_RETURN codes, unless they say otherwise.

// camd_encoder_new starts an encoder; finest is the lowest QP that it uses.
int camd_encoder_new(camd_encoder **e, int width, int height, float rate, int bitrate, int finest);
int camd_encoder_set_bitrate(camd_encoder *e, int bitrate);
int camd_encoder_set_rate(camd_encoder *e, float rate);

// camd_encoder_encode returns the length of the access unit, 0 if the picture was skipped,
// or a code as a negative number.
int camd_encoder_encode(camd_encoder *e, const uint8_t *y, const uint8_t *cb, const uint8_t *cr,
	int y_stride, int c_stride, bool key);

// camd_encoder_take copies the access unit that was made last.
void camd_encoder_take(const camd_encoder *e, uint8_t *to);

void camd_encoder_free(camd_encoder *e);

#endif
