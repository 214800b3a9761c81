//go:build cgo

#include "bridge.h"

#include <stdlib.h>
#include <string.h>

#include "openh264/codec_api.h"

struct camd_encoder {
	ISVCEncoder *engine;
	SSourcePicture picture;
	SFrameBSInfo made;
};

static void describe(SEncParamExt *p, int width, int height, float rate, int bitrate, int finest) {
	p->iUsageType = CAMERA_VIDEO_REAL_TIME;
	p->iPicWidth = width;
	p->iPicHeight = height;
	p->fMaxFrameRate = rate;
	p->iTargetBitrate = bitrate;
	p->iRCMode = RC_BITRATE_MODE;
	p->iMinQp = finest;
	p->iMaxQp = 51; // coarser than its own bound of 42, at which it rather leaves pictures out
	p->bEnableFrameSkip = true; // the only way in which it keeps a low bitrate
	p->uiIntraPeriod = 0;       // it would count pictures
	p->bEnableSceneChangeDetect = false;
	p->eSpsPpsIdStrategy = CONSTANT_ID;
	p->iMultipleThreadIdc = 1;

	SSpatialLayerConfig *l = &p->sSpatialLayers[0];
	l->iVideoWidth = width;
	l->iVideoHeight = height;
	l->fFrameRate = rate;
	l->iSpatialBitrate = bitrate;
	l->uiLevelIdc = LEVEL_3_1; // at least, so that no bitrate that is set later needs another
	l->sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
	l->sSliceArgument.uiSliceNum = 1;
}

int camd_encoder_new(camd_encoder **made, int width, int height, float rate, int bitrate, int finest) {
	camd_encoder *e = calloc(1, sizeof *e);
	if (e == NULL)
		return cmMallocMemeError;
	int code = WelsCreateSVCEncoder(&e->engine);
	if (code != 0 || e->engine == NULL) {
		free(e);
		return code != 0 ? code : cmMallocMemeError;
	}
	// Its warnings would go to standard error, past camd's log, and wait where a reader stalls.
	int quiet = WELS_LOG_QUIET;
	SEncParamExt p;
	if ((code = (*e->engine)->SetOption(e->engine, ENCODER_OPTION_TRACE_LEVEL, &quiet)) == 0 &&
		(code = (*e->engine)->GetDefaultParams(e->engine, &p)) == 0) {
		describe(&p, width, height, rate, bitrate, finest);
		code = (*e->engine)->InitializeExt(e->engine, &p);
	}
	if (code != 0) {
		camd_encoder_free(e);
		return code;
	}
	e->picture.iColorFormat = videoFormatI420;
	e->picture.iPicWidth = width;
	e->picture.iPicHeight = height;
	*made = e;
	return 0;
}

int camd_encoder_set_bitrate(camd_encoder *e, int bitrate) {
	SBitrateInfo info = {SPATIAL_LAYER_0, bitrate};
	return (*e->engine)->SetOption(e->engine, ENCODER_OPTION_BITRATE, &info);
}

int camd_encoder_set_rate(camd_encoder *e, float rate) {
	return (*e->engine)->SetOption(e->engine, ENCODER_OPTION_FRAME_RATE, &rate);
}

static int layer_length(const SLayerBSInfo *l) {
	int n = 0;
	for (int i = 0; i < l->iNalCount; i++)
		n += l->pNalLengthInByte[i];
	return n;
}

int camd_encoder_encode(camd_encoder *e, const uint8_t *y, const uint8_t *cb, const uint8_t *cr,
	int y_stride, int c_stride, bool key) {
	if (key)
		(*e->engine)->ForceIntraFrame(e->engine, true); // C's table lacks its layer, which only simulcast reads
	SSourcePicture *p = &e->picture;
	p->pData[0] = (uint8_t *)y; // openh264 only reads them
	p->pData[1] = (uint8_t *)cb;
	p->pData[2] = (uint8_t *)cr;
	p->iStride[0] = y_stride;
	p->iStride[1] = p->iStride[2] = c_stride;
	// The time stays 0: with one, openh264 also keeps the bitrate in windows of 5 s, and leaves
	// out all pictures of the rest of a window.
	memset(&e->made, 0, sizeof e->made);
	int code = (*e->engine)->EncodeFrame(e->engine, p, &e->made);
	memset(p->pData, 0, sizeof p->pData);
	if (code != 0)
		return -code;
	int n = 0;
	for (int i = 0; i < e->made.iLayerNum; i++)
		n += layer_length(&e->made.sLayerInfo[i]);
	return n;
}

void camd_encoder_take(const camd_encoder *e, uint8_t *to) {
	for (int i = 0; i < e->made.iLayerNum; i++) {
		const SLayerBSInfo *l = &e->made.sLayerInfo[i];
		int n = layer_length(l);
		memcpy(to, l->pBsBuf, (size_t)n);
		to += n;
	}
}

void camd_encoder_free(camd_encoder *e) {
	(*e->engine)->Uninitialize(e->engine);
	WelsDestroySVCEncoder(e->engine);
	free(e);
}
