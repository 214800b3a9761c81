################################################################################
#
# camd
#
################################################################################

# The source is the checkout that this tree lies in; what is released is a commit
# that changes VERSION.
CAMD_VERSION := $(shell cat $(BR2_EXTERNAL_CAMD_PATH)/VERSION)
CAMD_SITE = $(realpath $(BR2_EXTERNAL_CAMD_PATH)/..)
CAMD_SITE_METHOD = local
CAMD_LICENSE = Apache-2.0
CAMD_LICENSE_FILES = LICENSE
CAMD_DEPENDENCIES = speexdsp
CAMD_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude=/buildroot --exclude=/output --exclude=/bin --exclude=/dist \
	--exclude=/.cache --exclude=/web/node_modules

CAMD_GOMOD = github.com/camd-project/camd
CAMD_BUILD_TARGETS = cmd/camd

# The tags and flags of `make release`. No clock is believed before CAMD_BUILT.
CAMD_BUILT := $(or $(BUILT),$(shell git -C $(BR2_EXTERNAL_CAMD_PATH) log -1 --format=%ct 2>/dev/null))
CAMD_TAGS = netgo,osusergo,nomicrophone
CAMD_EXTLDFLAGS = -static
CAMD_LDFLAGS = -s -w -buildid= -X main.version=$(CAMD_VERSION) -X main.built=$(CAMD_BUILT) -linkmode external

# Buildroot vendors modules when it downloads, and a local source is not downloaded. Nor
# would the folder vendor have the encoders' archives and headers, which lie beside no Go
# file. So the modules that are built go to the module cache, where go.sum says what each
# has to be, whoever it comes from; the build itself asks nobody (GOPROXY=off).
CAMD_GO_ENV = GOFLAGS=-mod=readonly
define CAMD_DOWNLOAD_MODULES
	cd $(@D) && $(HOST_GO_TARGET_ENV) $(CAMD_GO_ENV) GOPROXY=$(or $(GOPROXY),direct) \
		$(GO_BIN) list -deps -modcacherw -tags "$(CAMD_TAGS)" ./cmd/camd >/dev/null
endef
CAMD_PRE_CONFIGURE_HOOKS += CAMD_DOWNLOAD_MODULES

define CAMD_USERS
	camd -1 camd -1 * /var/lib/camd - video,audio,input camd
endef

# The unit is that of a machine without this image, too.
define CAMD_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/docs/systemd/camd.service \
		$(TARGET_DIR)/usr/lib/systemd/system/camd.service
endef

$(eval $(golang-package))
