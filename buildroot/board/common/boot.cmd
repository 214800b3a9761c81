# Chooses the slot to boot, for every board with U-Boot; made into boot.scr by mkimage.
#
# It is outside both slots, so no update changes it: it holds only what must not change.
# All that a version may want otherwise stands in the slot's own script, in its FIT image.
#
# BOOT_ORDER, BOOT_A_LEFT and BOOT_B_LEFT are what RAUC reads and writes by fw_setenv, and
# lie in the partition bootstate in two copies (fw_env.config). A copy is a CRC-32 of the
# text, a byte that counts up from copy to copy, and the text. Only the older copy is ever
# written, so that a power cut costs one change. U-Boot's own commands know a copy
# without that byte (CONFIG_SYS_REDUNDAND_ENVIRONMENT must be off): it is closed up after
# reading and opened again before writing.

# 4 KiB each at 0 and at 512 KiB, here in blocks of 512 bytes, like all numbers in hex.
part start ${devtype} ${devnum} bootstate copy_0
setexpr copy_1 ${copy_0} + 400
${devtype} dev ${devnum}

setexpr buffer_0 ${kernel_addr_r} + 0
setexpr buffer_1 ${kernel_addr_r} + 10000
for n in 0 1; do
  setenv get "setenv block \${copy_${n}}; setenv buffer \${buffer_${n}}"
  run get
  mw.b ${buffer} 0 1000
  ${devtype} read ${buffer} ${block} 8
  setexpr count ${buffer} + 4
  setexpr.b count_${n} *${count}
  # The four bytes of the CRC one byte up, over the counter.
  setexpr scratch ${buffer} + 2000
  cp.b ${buffer} ${scratch} 4
  setexpr buffer ${buffer} + 1
  cp.b ${scratch} ${buffer} 4
done

# The newer copy is imported last, if it is whole.
setexpr newer ${count_1} - ${count_0}
setexpr newer ${newer} \& ff
if test "${newer}" = "1"; then setenv copies "0 1"; else setenv copies "1 0"; fi
setenv BOOT_ORDER
setenv BOOT_A_LEFT
setenv BOOT_B_LEFT
# Without a whole copy the first is written, with the count 1.
setenv used 1
setenv count 0
for n in ${copies}; do
  setenv get "setexpr buffer \${buffer_${n}} + 1"
  run get
  if env import -c ${buffer} fff BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT; then
    setenv used ${n}
    setenv get "setenv count \${count_${n}}"
    run get
  fi
done
if test "${used}" = "0"; then setenv target ${copy_1}; else setenv target ${copy_0}; fi

# What can be booted, and whether anything has a try left.
setenv known
setenv reversed
setenv tries
for slot in ${BOOT_ORDER}; do
  if test "${slot}" = "A" || test "${slot}" = "B"; then
    setenv known yes
    if test -z "${reversed}"; then setenv reversed "${slot}"; else setenv reversed "${slot} ${reversed}"; fi
    setenv get "setenv left \${BOOT_${slot}_LEFT}"
    run get
    if test -z "${left}"; then
      setenv left 3
      setenv BOOT_${slot}_LEFT 3
    fi
    if test ${left} -gt 0; then setenv tries yes; fi
  fi
done
if test -z "${known}"; then
  # Never written, or both copies are damaged: rather try than stay dark.
  setenv BOOT_ORDER "A B"
  setenv BOOT_A_LEFT 3
  setenv BOOT_B_LEFT 3
elif test -z "${tries}"; then
  # No try left (power cuts can do that): all get new ones, and the last comes first, which
  # is the slot from before the last update. A slot that was marked bad is in no order.
  echo "No slot has a try left: trying ${reversed}"
  setenv BOOT_ORDER "${reversed}"
  setenv BOOT_A_LEFT 3
  setenv BOOT_B_LEFT 3
fi

for slot in ${BOOT_ORDER}; do
  setenv left 0
  if test "${slot}" = "A"; then
    setenv left ${BOOT_A_LEFT}
    setenv kernel kernel-a
    setenv rootfs rootfs-a
  fi
  if test "${slot}" = "B"; then
    setenv left ${BOOT_B_LEFT}
    setenv kernel kernel-b
    setenv rootfs rootfs-b
  fi
  if test ${left} -gt 0; then
    setexpr left ${left} - 1
    setenv BOOT_${slot}_LEFT ${left}
    # The try is spent before it begins.
    setexpr count ${count} + 1
    setexpr count ${count} \& ff
    setexpr buffer ${buffer_0} + 1
    env export -c -s fff ${buffer} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
    cp.b ${buffer} ${buffer_0} 4
    setexpr buffer ${buffer_0} + 4
    mw.b ${buffer} ${count}
    ${devtype} write ${buffer_0} ${target} 8
    # The next slot's try, if this one does not even load, goes to the other copy.
    if test "${target}" = "${copy_0}"; then setenv target ${copy_1}; else setenv target ${copy_0}; fi

    echo "Booting slot ${slot}, ${left} more tries"
    # A FIT image begins with its size. Its hashes are checked: a kernel that a power cut
    # left half written does not start.
    setenv fit ${ramdisk_addr_r}
    part start ${devtype} ${devnum} ${kernel} block
    ${devtype} read ${fit} ${block} 1
    if fdt addr ${fit} && fdt header get size totalsize; then
      setexpr size ${size} + 1ff
      setexpr size ${size} / 200
      ${devtype} read ${fit} ${block} ${size}
      part number ${devtype} ${devnum} ${rootfs} number
      part uuid ${devtype} ${devnum}:${number} root
      # The slot's script sets bootargs, in which ${root} names its root partition, and what
      # bootm boots: a configuration of ${fit}, and on a board whose device tree is not in
      # the image the tree's address.
      setenv bootargs
      setenv image
      if source ${fit}:slot; then
        setenv bootargs "${bootargs} rauc.slot=${slot}"
        bootm ${image}
      fi
    fi
    echo "Slot ${slot} does not load"
  fi
done
reset
