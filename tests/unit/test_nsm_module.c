// SPDX-License-Identifier: Apache-2.0
/*
 * Every request, every error with its condition, every limit: bytes in, bytes
 * out. The digests of ExtendPCR and the signatures (see nsm_fakes.h) were
 * computed by Python's hashlib from bytes that Python had put together.
 */
#include "nsm-emu/module.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/response.h"
#include "tests/unit/bytes.h"
#include "tests/unit/nsm_fakes.h"

/* --- Bytes ------------------------------------------------------------------ */

#define DESCRIBE_PCR(index) "a1 6b'DescribePCR' a1 65'index' " index
#define LOCK_PCR(index) "a1 67'LockPCR' a1 65'index' " index
#define LOCK_PCRS(range) "a1 68'LockPCRs' a1 65'range' " range
#define EXTEND_PCR(index, data) \
	"a1 69'ExtendPCR' a2 65'index' " index " 64'data' " data
#define ATTESTATION(user_data, nonce, public_key)                            \
	"a1 6b'Attestation' a3 69'user_data' " user_data " 65'nonce' " nonce \
	" 6a'public_key' " public_key

#define ERROR(name) "a1 65'Error' " name
#define INVALID_ARGUMENT ERROR("6f'InvalidArgument'")
#define INVALID_INDEX ERROR("6c'InvalidIndex'")
#define READ_ONLY_INDEX ERROR("6d'ReadOnlyIndex'")
#define INVALID_OPERATION ERROR("70'InvalidOperation'")
#define BUFFER_TOO_SMALL ERROR("6e'BufferTooSmall'")
#define INPUT_TOO_LARGE ERROR("6d'InputTooLarge'")
#define INTERNAL_ERROR ERROR("6d'InternalError'")

#define DESCRIPTION(locked)                                               \
	"a1 6b'DescribeNSM' a7 6d'version_major' 01 6d'version_minor' 00" \
	"6d'version_patch' 00 69'module_id' 68'i-0-enc0'"                 \
	"68'max_pcrs' 1820 6b'locked_pcrs' " locked " 66'digest' 66'SHA384'"
#define SIXTEEN "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"

#define REGISTER(lock, data) \
	"a1 6b'DescribePCR' a2 64'lock' " lock " 64'data' 5830 " data
#define EXTENDED(data) "a1 69'ExtendPCR' a1 64'data' 5830 " data

/* SHA-384(48 zero bytes, 010203), and that again. */
#define ONCE                                               \
	"cb178fcd3f328244c05c6248723fd068b3a1dda878e1ab8b" \
	"e911098f199958add55d0c27f04826d27b44d949a650694e"
#define TWICE                                              \
	"65ecb1f7ff7536285cb0ef60bdab531a9cdcf41a2dd1ca5e" \
	"3dea6445de2c937aab5a1e474c534210583289964acbdc45"
/* SHA-384(48 zero bytes). */
#define BY_NOTHING                                         \
	"8f0d145c0368ad6b70be22e41c400eea91b971d96ba220fe" \
	"c9fae25a58dffdaaf72dbe8f6783d55128c9df4efaf6f8a7"

/* A document: its size, its payload and its size, the fake signature. */
#define DOCUMENT(size, payload_size, payload, digest)                      \
	"a1 6b'Attestation' a1 68'document' 59 " size " 84 44 a1013822 a0" \
	" 59 " payload_size " " payload " 58 60 " digest " " digest
#define FIELDS(pcrs, public_key, user_data, nonce)                 \
	"69'module_id' 68'i-0-enc0' 66'digest' 66'SHA384'"         \
	"69'timestamp' 1b 0000018bcfe56800 64'pcrs' " pcrs         \
	" 6b'certificate' 43 c1c2c3 68'cabundle' 82 41 a1 42 a2a3" \
	"6a'public_key' " public_key " 69'user_data' " user_data   \
	" 65'nonce' " nonce
#define ZERO(index) " " index " 5830 00(48)"
#define BOOT                                                                   \
	"00 5830 10(48) 01 5830 11(48) 02 5830 12(48)" ZERO("03") ZERO("04")   \
		ZERO("05") ZERO("06") ZERO("07") " 08 5830 18(48)" ZERO("09")  \
			ZERO("0a") ZERO("0b") ZERO("0c") ZERO("0d") ZERO("0e") \
				ZERO("0f")
#define AT_BOOT "b0 " BOOT
#define ALL_OF_THEM                                                         \
	"b820 " BOOT ZERO("10") ZERO("11") ZERO("12") ZERO("13") ZERO("14") \
		ZERO("15") ZERO("16") ZERO("17") ZERO("1818") ZERO("1819")  \
			ZERO("181a") ZERO("181b") ZERO("181c") ZERO("181d") \
				ZERO("181e") ZERO("181f")

/* --- The table -------------------------------------------------------------- */

enum identity { WHOLE, NONE, WITHOUT_LEAF, WITHOUT_KEY };

struct row {
	const char *name;
	/* Requests before, whose responses do not matter. */
	const char *before[3];
	const char *request;
	const char *response;
	enum nsm_dialect dialect;
	enum nsm_limits limits;
	enum identity identity;
	bool has_no_randomness;
	const char *reason; /* of an InternalError; NULL: none is told */
};

static const struct row rows[] = {
	/* --- DescribeNSM --- */
	{ .name = "a module describes itself",
	  .request = "6b'DescribeNSM'",
	  .response = DESCRIPTION("90 " SIXTEEN) },
	{ .name = "as a map of one",
	  .request = "a1 6b'DescribeNSM' f6",
	  .response = DESCRIPTION("90 " SIXTEEN) },
	{ .name = "what was locked later is among the locked",
	  .before = { LOCK_PCR("181f"), LOCK_PCR("10") },
	  .request = "6b'DescribeNSM'",
	  .response = DESCRIPTION("92 " SIXTEEN " 10 181f") },
	{ .name = "DescribeNSM with fields",
	  .request = "a1 6b'DescribeNSM' a0",
	  .response = INVALID_ARGUMENT },
	{ .name = "DescribeNSM and a byte more",
	  .request = "6b'DescribeNSM' 00",
	  .response = INVALID_OPERATION },

	/* --- DescribePCR --- */
	{ .name = "PCR0 is the image's",
	  .request = DESCRIBE_PCR("00"),
	  .response = REGISTER("f5", "10(48)") },
	{ .name = "PCR8 is the image's",
	  .request = DESCRIBE_PCR("08"),
	  .response = REGISTER("f5", "18(48)") },
	{ .name = "15 is locked at boot",
	  .request = DESCRIBE_PCR("0f"),
	  .response = REGISTER("f5", "00(48)") },
	{ .name = "16 is not",
	  .request = DESCRIBE_PCR("10"),
	  .response = REGISTER("f4", "00(48)") },
	{ .name = "31 is the last",
	  .request = DESCRIBE_PCR("181f"),
	  .response = REGISTER("f4", "00(48)") },
	{ .name = "DescribePCR of 32",
	  .request = DESCRIBE_PCR("1820"),
	  .response = INVALID_INDEX },
	{ .name = "DescribePCR of 255",
	  .request = DESCRIBE_PCR("18ff"),
	  .response = INVALID_INDEX },
	{ .name = "DescribePCR of 65535",
	  .request = DESCRIBE_PCR("19ffff"),
	  .response = INVALID_INDEX },
	{ .name = "DescribePCR of 65536",
	  .request = DESCRIBE_PCR("1a00010000"),
	  .response = INVALID_ARGUMENT },
	{ .name = "DescribePCR of -1",
	  .request = DESCRIBE_PCR("20"),
	  .response = INVALID_ARGUMENT },
	{ .name = "DescribePCR of nothing",
	  .request = "a1 6b'DescribePCR' a0",
	  .response = INVALID_ARGUMENT },
	{ .name = "DescribePCR of two",
	  .request = "a1 6b'DescribePCR' a2 65'index' 00 65'index' 01",
	  .response = INVALID_ARGUMENT },
	{ .name = "DescribePCR with what it does not know",
	  .request = "a1 6b'DescribePCR' a2 64'bank' 66'SHA256' 65'index' 00",
	  .response = REGISTER("f5", "10(48)") },
	{ .name = "DescribePCR, indefinite",
	  .request = "bf 6b'DescribePCR' bf 65'index' 00 ff ff",
	  .response = REGISTER("f5", "10(48)") },
	{ .name = "DescribePCR, wide",
	  .request = DESCRIBE_PCR("1b0000000000000000"),
	  .response = REGISTER("f5", "10(48)") },

	/* --- ExtendPCR --- */
	{ .name = "a register is extended",
	  .request = EXTEND_PCR("10", "43 010203"),
	  .response = EXTENDED(ONCE) },
	{ .name = "the last register is extended",
	  .request = EXTEND_PCR("181f", "43 010203"),
	  .response = EXTENDED(ONCE) },
	{ .name = "and again",
	  .before = { EXTEND_PCR("10", "43 010203") },
	  .request = EXTEND_PCR("10", "43 010203"),
	  .response = EXTENDED(TWICE) },
	{ .name = "each register by itself",
	  .before = { EXTEND_PCR("11", "43 010203") },
	  .request = EXTEND_PCR("10", "43 010203"),
	  .response = EXTENDED(ONCE) },
	{ .name = "what was extended is described",
	  .before = { EXTEND_PCR("10", "43 010203") },
	  .request = DESCRIBE_PCR("10"),
	  .response = REGISTER("f4", ONCE) },
	{ .name = "what was locked keeps its value",
	  .before = { EXTEND_PCR("10", "43 010203"), LOCK_PCR("10"),
		      EXTEND_PCR("10", "43 010203") },
	  .request = DESCRIBE_PCR("10"),
	  .response = REGISTER("f5", ONCE) },
	{ .name = "a register is extended by nothing",
	  .request = EXTEND_PCR("10", "40"),
	  .response = EXTENDED(BY_NOTHING) },
	{ .name = "by an array of integers",
	  .request = EXTEND_PCR("10", "83 01 02 03"),
	  .response = EXTENDED(ONCE) },
	{ .name = "by an indefinite array",
	  .request = EXTEND_PCR("10", "9f 1801 190002 03 ff"),
	  .response = EXTENDED(ONCE) },
	{ .name = "by pieces",
	  .request = EXTEND_PCR("10", "5f 41 01 42 0203 ff"),
	  .response = EXTENDED(ONCE) },
	{ .name = "by a text",
	  .request = EXTEND_PCR("10", "63 010203"),
	  .response = EXTENDED(ONCE) },
	{ .name = "with the data first",
	  .request = "a1 69'ExtendPCR' a2 64'data' 43 010203 65'index' 10",
	  .response = EXTENDED(ONCE) },
	{ .name = "ExtendPCR of 0",
	  .request = EXTEND_PCR("00", "43 010203"),
	  .response = READ_ONLY_INDEX },
	{ .name = "ExtendPCR of 15",
	  .request = EXTEND_PCR("0f", "43 010203"),
	  .response = READ_ONLY_INDEX },
	{ .name = "ExtendPCR of what was locked",
	  .before = { LOCK_PCR("10") },
	  .request = EXTEND_PCR("10", "43 010203"),
	  .response = READ_ONLY_INDEX },
	{ .name = "ExtendPCR of 32",
	  .request = EXTEND_PCR("1820", "43 010203"),
	  .response = INVALID_INDEX },
	{ .name = "ExtendPCR of 65535",
	  .request = EXTEND_PCR("19ffff", "43 010203"),
	  .response = INVALID_INDEX },
	{ .name = "ExtendPCR of 65536",
	  .request = EXTEND_PCR("1a00010000", "43 010203"),
	  .response = INVALID_ARGUMENT },
	{ .name = "ExtendPCR without data",
	  .request = "a1 69'ExtendPCR' a1 65'index' 10",
	  .response = INVALID_ARGUMENT },
	{ .name = "ExtendPCR without index",
	  .request = "a1 69'ExtendPCR' a1 64'data' 43 010203",
	  .response = INVALID_ARGUMENT },
	{ .name = "ExtendPCR by null",
	  .request = EXTEND_PCR("10", "f6"),
	  .response = INVALID_ARGUMENT },
	{ .name = "ExtendPCR by integers that are no bytes",
	  .request = EXTEND_PCR("10", "81 190100"),
	  .response = INVALID_ARGUMENT },
	{ .name = "a request of 0x1000 bytes",
	  .request = EXTEND_PCR("0f", "590fe5 aa(4069)"),
	  .response = READ_ONLY_INDEX },
	{ .name = "a request of 0x1001 bytes",
	  .request = EXTEND_PCR("0f", "590fe6 aa(4070)"),
	  .response = INPUT_TOO_LARGE },

	/* --- LockPCR --- */
	{ .name = "a register is locked",
	  .request = LOCK_PCR("10"),
	  .response = "67'LockPCR'" },
	{ .name = "the last register is locked",
	  .request = LOCK_PCR("181f"),
	  .response = "67'LockPCR'" },
	{ .name = "LockPCR of 15",
	  .request = LOCK_PCR("0f"),
	  .response = READ_ONLY_INDEX },
	{ .name = "LockPCR of what was locked",
	  .before = { LOCK_PCR("10") },
	  .request = LOCK_PCR("10"),
	  .response = READ_ONLY_INDEX },
	{ .name = "LockPCR of what was locked with others",
	  .before = { LOCK_PCRS("11") },
	  .request = LOCK_PCR("10"),
	  .response = READ_ONLY_INDEX },
	{ .name = "LockPCR of 32",
	  .request = LOCK_PCR("1820"),
	  .response = INVALID_INDEX },
	{ .name = "LockPCR of 255",
	  .request = LOCK_PCR("18ff"),
	  .response = INVALID_INDEX },
	{ .name = "LockPCR of 65535",
	  .request = LOCK_PCR("19ffff"),
	  .response = INVALID_INDEX },
	{ .name = "LockPCR of 65536",
	  .request = LOCK_PCR("1a00010000"),
	  .response = INVALID_ARGUMENT },
	{ .name = "LockPCR of a range",
	  .request = "a1 67'LockPCR' a1 65'range' 10",
	  .response = INVALID_ARGUMENT },
	{ .name = "LockPCR of nothing",
	  .request = "67'LockPCR'",
	  .response = INVALID_ARGUMENT },

	/* --- LockPCRs --- */
	{ .name = "no registers are locked",
	  .request = LOCK_PCRS("00"),
	  .response = "68'LockPCRs'" },
	{ .name = "none were",
	  .before = { LOCK_PCRS("00") },
	  .request = "6b'DescribeNSM'",
	  .response = DESCRIPTION("90 " SIXTEEN) },
	{ .name = "registers are locked that were",
	  .request = LOCK_PCRS("10"),
	  .response = "68'LockPCRs'" },
	{ .name = "the range's end is not locked",
	  .before = { LOCK_PCRS("12") },
	  .request = "6b'DescribeNSM'",
	  .response = DESCRIPTION("92 " SIXTEEN " 10 11") },
	{ .name = "a smaller range unlocks nothing",
	  .before = { LOCK_PCRS("12"), LOCK_PCRS("01") },
	  .request = "6b'DescribeNSM'",
	  .response = DESCRIPTION("92 " SIXTEEN " 10 11") },
	{ .name = "all registers are locked",
	  .request = LOCK_PCRS("1820"),
	  .response = "68'LockPCRs'" },
	{ .name = "all of them were",
	  .before = { LOCK_PCRS("1820") },
	  .request = "6b'DescribeNSM'",
	  .response = DESCRIPTION("9820 " SIXTEEN
				  " 10 11 12 13 14 15 16 17 1818 1819 181a"
				  "181b 181c 181d 181e 181f") },
	{ .name = "LockPCRs up to 33",
	  .request = LOCK_PCRS("1821"),
	  .response = INVALID_INDEX },
	{ .name = "LockPCRs up to 65535",
	  .request = LOCK_PCRS("19ffff"),
	  .response = INVALID_INDEX },
	{ .name = "LockPCRs up to 65536",
	  .request = LOCK_PCRS("1a00010000"),
	  .response = INVALID_ARGUMENT },
	{ .name = "LockPCRs without range",
	  .request = "a1 68'LockPCRs' a1 65'index' 10",
	  .response = INVALID_ARGUMENT },
	{ .name = "what is refused locks nothing",
	  .before = { LOCK_PCRS("1821") },
	  .request = "6b'DescribeNSM'",
	  .response = DESCRIPTION("90 " SIXTEEN) },

	/* --- GetRandom --- */
	{ .name = "no randomness",
	  .request = "69'GetRandom'",
	  .has_no_randomness = true,
	  .reason = "there is no randomness to be had",
	  .response = INTERNAL_ERROR },
	{ .name = "GetRandom with a size",
	  .request = "a1 69'GetRandom' a1 64'size' 10",
	  .response = INVALID_ARGUMENT },

	/* --- Attestation --- */
	{ .name = "a bare document",
	  .request = ATTESTATION("f6", "f6", "f6"),
	  .response = DOCUMENT(
		  "0415", "03a9", "bf" FIELDS(AT_BOOT, "f6", "f6", "f6") "ff",
		  "b506134f7b9dddd09d8dd10c67b686e45586871602cb0881"
		  "1590c2052824b0cf17e824a619c2258241bcbf8b1878024d") },
	{ .name = "a bare document in the older dialect",
	  .dialect = NSM_DIALECT_DEFINITE,
	  .request = ATTESTATION("f6", "f6", "f6"),
	  .response = DOCUMENT(
		  "0414", "03a8", "a9" FIELDS(AT_BOOT, "f6", "f6", "f6"),
		  "d56c820c25729e54224f2c8337e7662f8849094a05fa1d63"
		  "6771838fe095c3e78cb0aea778a738c59a20972508be15d3") },
	{ .name = "absent is null",
	  .request = "a1 6b'Attestation' a0",
	  .response = DOCUMENT(
		  "0415", "03a9", "bf" FIELDS(AT_BOOT, "f6", "f6", "f6") "ff",
		  "b506134f7b9dddd09d8dd10c67b686e45586871602cb0881"
		  "1590c2052824b0cf17e824a619c2258241bcbf8b1878024d") },
	{ .name = "a full document; an empty field is not an absent one",
	  .request = ATTESTATION("40", "41 03", "42 0102"),
	  .response = DOCUMENT(
		  "0418", "03ac",
		  "bf" FIELDS(AT_BOOT, "42 0102", "40", "41 03") "ff",
		  "e858a374650da5b88341286fc0a0115255cc72576e6880be"
		  "54fc9174b97f23dc49f0e5430cb3aa55da8b6efcd7ad5610") },
	{ .name = "a full document in the older dialect",
	  .dialect = NSM_DIALECT_DEFINITE,
	  .request = ATTESTATION("5f ff", "81 03", "62 0102"),
	  .response = DOCUMENT(
		  "0417", "03ab",
		  "a9" FIELDS(AT_BOOT, "42 0102", "40", "41 03"),
		  "d376e4c0a2db34897db8170840e820bdec6c60509702ba18"
		  "9aa35dfd30f1a3af76a3cd6ee6cd3fe68dbd9b922bf6de6e") },
	{ .name = "what is not locked is not in a document",
	  .before = { EXTEND_PCR("10", "43 010203") },
	  .request = ATTESTATION("f6", "f6", "f6"),
	  .response = DOCUMENT(
		  "0415", "03a9", "bf" FIELDS(AT_BOOT, "f6", "f6", "f6") "ff",
		  "b506134f7b9dddd09d8dd10c67b686e45586871602cb0881"
		  "1590c2052824b0cf17e824a619c2258241bcbf8b1878024d") },
	{ .name = "what was locked is",
	  .before = { EXTEND_PCR("10", "43 010203"), LOCK_PCR("10") },
	  .request = ATTESTATION("f6", "f6", "f6"),
	  .response = DOCUMENT(
		  "0448", "03dc",
		  "bf" FIELDS("b1 " BOOT " 10 5830 " ONCE, "f6", "f6",
			      "f6") "ff",
		  "30abc14cec7d0ac69372699919db4adff810110f1278063d"
		  "b4fd716f18b8c76bbac32e0137acbcb1e965397a97840f95") },
	{ .name = "all of them are, if all are locked",
	  .before = { LOCK_PCRS("1820") },
	  .request = ATTESTATION("f6", "f6", "f6"),
	  .response = DOCUMENT(
		  "074e", "06e2",
		  "bf" FIELDS(ALL_OF_THEM, "f6", "f6", "f6") "ff",
		  "4ee355fc2c04baa5b49eb8400f97938542169667c794dad7"
		  "411748f934a1b3bb0c65a495a7214a6525776f25e313a9b8") },
	{ .name = "512 bytes of user data",
	  .request = ATTESTATION("590200 aa(512)", "f6", "f6"),
	  .response = DOCUMENT(
		  "0617", "05ab",
		  "bf" FIELDS(AT_BOOT, "f6", "590200 aa(512)", "f6") "ff",
		  "d9fa77d6c3cb7233592158e29d85faee13d4589d4b2ab31f"
		  "b42370ed30e9935d28fe4f8c573074dc46b45f5d9e0564c7") },
	{ .name = "513 bytes of user data",
	  .request = ATTESTATION("590201 aa(513)", "f6", "f6"),
	  .response = INPUT_TOO_LARGE },
	{ .name = "513 bytes of user data, as hardware has it",
	  .limits = NSM_LIMITS_HARDWARE,
	  .request = ATTESTATION("590201 aa(513)", "f6", "f6"),
	  .response = DOCUMENT(
		  "0618", "05ac",
		  "bf" FIELDS(AT_BOOT, "f6", "590201 aa(513)", "f6") "ff",
		  "462d51664800c27e2b4ee8f77df1363ac22ac61f16b64f50"
		  "9ee30d92054bc8b4acba5e2faa7abda0c1f148692247d002") },
	{ .name = "513 bytes of user data, in pieces",
	  .request = ATTESTATION("5f 590200 aa(512) 41 aa ff", "f6", "f6"),
	  .response = INPUT_TOO_LARGE },
	{ .name = "512 bytes of nonce",
	  .request = ATTESTATION("f6", "590200 aa(512)", "f6"),
	  .response = DOCUMENT(
		  "0617", "05ab",
		  "bf" FIELDS(AT_BOOT, "f6", "f6", "590200 aa(512)") "ff",
		  "741bfc52b361509a90b284f441ef4e9ca7a4fc545249a1e1"
		  "12fa10dd44872f6cc868980afce560cf39264c4af83b609e") },
	{ .name = "513 bytes of nonce",
	  .request = ATTESTATION("f6", "590201 aa(513)", "f6"),
	  .response = INPUT_TOO_LARGE },
	{ .name = "513 bytes of nonce, as hardware has it",
	  .limits = NSM_LIMITS_HARDWARE,
	  .request = ATTESTATION("f6", "590201 aa(513)", "f6"),
	  .response = DOCUMENT(
		  "0618", "05ac",
		  "bf" FIELDS(AT_BOOT, "f6", "f6", "590201 aa(513)") "ff",
		  "9dc88479b36aa818740a61af8e562adf6239d921f96d75c1"
		  "088175af6ced86375f3f74890af7d836f5704e99193cf23a") },
	{ .name = "1024 bytes of public key",
	  .request = ATTESTATION("f6", "f6", "590400 aa(1024)"),
	  .response = DOCUMENT(
		  "0817", "07ab",
		  "bf" FIELDS(AT_BOOT, "590400 aa(1024)", "f6", "f6") "ff",
		  "ac66d37949a76dbaee73c438302f05724503c40622e72ba2"
		  "b4c47b79abf371123d3b683b30492acfc6cea1c4a753181d") },
	{ .name = "1025 bytes of public key",
	  .request = ATTESTATION("f6", "f6", "590401 aa(1025)"),
	  .response = INPUT_TOO_LARGE },
	{ .name = "1025 bytes of public key, as hardware has it",
	  .limits = NSM_LIMITS_HARDWARE,
	  .request = ATTESTATION("f6", "f6", "590401 aa(1025)"),
	  .response = DOCUMENT(
		  "0818", "07ac",
		  "bf" FIELDS(AT_BOOT, "590401 aa(1025)", "f6", "f6") "ff",
		  "e93e217ad7cc653a0e85b101530090bfde7015ba00b79cea"
		  "bd048140422d09934a4329e6dbd55c0146093335ba6a770e") },
	{ .name = "a number for user data",
	  .request = ATTESTATION("01", "f6", "f6"),
	  .response = INVALID_ARGUMENT },
	{ .name = "a map for a nonce",
	  .request = ATTESTATION("f6", "a0", "f6"),
	  .response = INVALID_ARGUMENT },
	{ .name = "undefined for a public key",
	  .request = ATTESTATION("f6", "f6", "f7"),
	  .response = INVALID_ARGUMENT },
	{ .name = "a nonce twice",
	  .request = "a1 6b'Attestation' a2 65'nonce' f6 65'nonce' 40",
	  .response = INVALID_ARGUMENT },
	{ .name = "Attestation without its map",
	  .request = "6b'Attestation'",
	  .response = INVALID_ARGUMENT },
	{ .name = "nobody signs",
	  .identity = NONE,
	  .request = ATTESTATION("f6", "f6", "f6"),
	  .response = INTERNAL_ERROR },
	{ .name = "there is no certificate",
	  .identity = WITHOUT_LEAF,
	  .reason = "there is no leaf",
	  .request = ATTESTATION("f6", "f6", "f6"),
	  .response = INTERNAL_ERROR },
	{ .name = "there is no signature",
	  .identity = WITHOUT_KEY,
	  .reason = "there is no key",
	  .request = ATTESTATION("f6", "f6", "f6"),
	  .response = INTERNAL_ERROR },
	{ .name = "too much is said before nobody signs",
	  .identity = NONE,
	  .request = ATTESTATION("590201 aa(513)", "f6", "f6"),
	  .response = INPUT_TOO_LARGE },

	/* --- Anything else --- */
	{ .name = "nothing", .request = "", .response = INVALID_OPERATION },
	{ .name = "no CBOR", .request = "1c", .response = INVALID_OPERATION },
	{ .name = "too much of no CBOR",
	  .request = "1c(4097)",
	  .response = INPUT_TOO_LARGE },
	{ .name = "CBOR of another kind",
	  .request = "83 01 02 03",
	  .response = INVALID_OPERATION },
	{ .name = "an unknown operation",
	  .request = "68'ResetPCR'",
	  .response = INVALID_OPERATION },
	{ .name = "an unknown operation with fields",
	  .request = "a1 68'ResetPCR' a1 65'index' 10",
	  .response = INVALID_OPERATION },
	{ .name = "a map of two",
	  .request = "a2 67'LockPCR' a1 65'index' 10 69'GetRandom' f6",
	  .response = INVALID_OPERATION },
	{ .name = "a byte too much",
	  .request = LOCK_PCR("10") "00",
	  .response = INVALID_OPERATION },
};

/* --- A module to ask -------------------------------------------------------- */

struct fixture {
	struct nsm_identity identity;
	struct nsm_random random;
	struct nsm_module *module;
	struct ne_error told;
	uint8_t response[NSM_RESPONSE_MAX];
};

static void keep(const struct ne_error *why, void *data)
{
	*(struct ne_error *)data = *why;
}

static struct nsm_config config_of(struct fixture *fixture)
{
	struct nsm_config config = {
		.module_id = "i-0-enc0",
		.identity = &fixture->identity,
		.random = &fixture->random,
		.clock = fake_clock,
		.failures = { keep, &fixture->told },
	};

	memset(config.pcrs[0].bytes, 0x10, NE_PCR_SIZE);
	memset(config.pcrs[1].bytes, 0x11, NE_PCR_SIZE);
	memset(config.pcrs[2].bytes, 0x12, NE_PCR_SIZE);
	memset(config.pcrs[8].bytes, 0x18, NE_PCR_SIZE);
	return config;
}

static void start(struct fixture *fixture, const struct row *row)
{
	struct nsm_config config = config_of(fixture);

	fixture->random = (struct nsm_random){ 0 };
	fixture->told.code = 0;
	fixture->told.text[0] = '\0';
	fake_identity_start(&fixture->identity);
	if (row) {
		config.dialect = row->dialect;
		config.limits = row->limits;
		if (row->identity == NONE)
			config.identity = NULL;
		fixture->identity.has_no_leaf = row->identity == WITHOUT_LEAF;
		fixture->identity.has_no_key = row->identity == WITHOUT_KEY;
		fixture->random.is_broken = row->has_no_randomness;
	}
	assert_int_equal(nsm_module_new(&fixture->module, &config, NULL), 0);
}

/* Nothing is held any more. */
static void end(struct fixture *fixture)
{
	nsm_module_free(fixture->module);
	assert_int_equal(fixture->identity.references, 1);
	assert_int_equal(fixture->identity.leaves, 0);
}

static size_t ask_bytes(struct fixture *fixture, const uint8_t *bytes,
			size_t size)
{
	struct nsm_attestation *attestation;
	size_t answered;

	answered = nsm_module_request(fixture->module, bytes, size,
				      fixture->response, &attestation);
	if (answered) {
		assert_null(attestation);
		return answered;
	}
	answered = nsm_attestation_sign(attestation, fixture->response);
	nsm_attestation_free(attestation);
	return answered;
}

static size_t ask(struct fixture *fixture, const char *request)
{
	uint8_t bytes[NSM_REQUEST_MAX + 1];

	return ask_bytes(fixture, bytes,
			 bytes_read(request, bytes, sizeof(bytes)));
}

static void expect(struct fixture *fixture, const char *name,
		   const char *request, const char *response)
{
	size_t size = ask(fixture, request);

	bytes_expect(name, response, fixture->response, size);
}

static void start_row(struct fixture *fixture, const struct row *row)
{
	start(fixture, row);
	for (size_t i = 0; i < ARRAY_SIZE(row->before) && row->before[i]; i++)
		ask(fixture, row->before[i]);
}

/* --- Tests ------------------------------------------------------------------ */

static void every_request_has_its_response(void **state)
{
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start_row(&fixture, &rows[i]);
		expect(&fixture, rows[i].name, rows[i].request,
		       rows[i].response);
		assert_string_equal(fixture.told.text,
				    rows[i].reason ? rows[i].reason : "");
		end(&fixture);
	}
}

#define ROW_OF_16(high)                                                     \
	high "0" high "1" high "2" high "3" high "4" high "5" high "6" high \
	     "7" high "8" high "9" high "a" high "b" high "c" high "d" high \
	     "e" high "f"

static void randomness_is_256_bytes_and_new_each_time(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture, NULL);
	expect(&fixture, "256 bytes", "69'GetRandom'",
	       "a1 69'GetRandom' a1 66'random' 590100" ROW_OF_16("0") ROW_OF_16(
		       "1") ROW_OF_16("2") ROW_OF_16("3") ROW_OF_16("4")
		       ROW_OF_16("5") ROW_OF_16("6") ROW_OF_16("7")
			       ROW_OF_16("8") ROW_OF_16("9") ROW_OF_16("a")
				       ROW_OF_16("b") ROW_OF_16("c")
					       ROW_OF_16("d") ROW_OF_16("e")
						       ROW_OF_16("f"));
	fixture.random.next = 0x70;
	ask(&fixture, "69'GetRandom'");
	assert_int_equal(fixture.response[22], 0x70);
	end(&fixture);
}

static const char every_register[] = "6b'DescribeNSM'";

/* Each part of each request changes nothing, and is an error. */
static void a_part_of_a_request_is_an_invalid_operation(void **state)
{
	uint8_t bytes[NSM_REQUEST_MAX + 1];
	struct fixture fixture;
	size_t size, part;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* Not "a byte too much". */
		if (!strcmp(rows[i].response, INVALID_OPERATION) ||
		    !strcmp(rows[i].response, INPUT_TOO_LARGE))
			continue;
		start(&fixture, NULL);
		size = bytes_read(rows[i].request, bytes, sizeof(bytes));
		for (part = 0; part < size; part++)
			bytes_expect(rows[i].name, INVALID_OPERATION,
				     fixture.response,
				     ask_bytes(&fixture, bytes, part));
		expect(&fixture, rows[i].name, every_register,
		       DESCRIPTION("90 " SIXTEEN));
		end(&fixture);
	}
}

/* The response's size grows with the certificate's. */
static void a_response_is_no_longer_than_0x3000_bytes(void **state)
{
	static const uint8_t certificate[NSM_RESPONSE_MAX];
	static const char request[] = ATTESTATION("f6", "f6", "f6");
	struct fixture fixture;
	size_t size = 4000;

	(void)state;
	start(&fixture, NULL);
	fake_identity_set_certificate(&fixture.identity, certificate, size);
	size += NSM_RESPONSE_MAX - ask(&fixture, request);
	fake_identity_set_certificate(&fixture.identity, certificate, size);
	assert_int_equal(ask(&fixture, request), NSM_RESPONSE_MAX);
	for (; size < sizeof(certificate); size++) {
		fake_identity_set_certificate(&fixture.identity, certificate,
					      size + 1);
		expect(&fixture, "one more", request, BUFFER_TOO_SMALL);
	}
	end(&fixture);
}

/* As many certificates as there can be, each of a good size. */
static void a_long_chain_is_too_long(void **state)
{
	static const uint8_t certificate[2000];
	struct fixture fixture;

	(void)state;
	start(&fixture, NULL);
	for (size_t i = 0; i < NSM_BUNDLE_MAX; i++)
		fixture.identity.leaf.bundle[i] =
			(struct nsm_certificate){ .der = certificate,
						  .size = sizeof(certificate) };
	fixture.identity.leaf.n_bundle = NSM_BUNDLE_MAX;
	expect(&fixture, "a long chain", ATTESTATION("f6", "f6", "f6"),
	       BUFFER_TOO_SMALL);
	end(&fixture);
}

static struct nsm_attestation *begin_attestation(struct fixture *fixture)
{
	struct nsm_attestation *attestation;
	uint8_t bytes[NSM_REQUEST_MAX];
	size_t size =
		bytes_read(ATTESTATION("f6", "f6", "f6"), bytes, sizeof(bytes));

	assert_int_equal(nsm_module_request(fixture->module, bytes, size,
					    fixture->response, &attestation),
			 0);
	assert_non_null(attestation);
	return attestation;
}

static const char bare_document[] =
	DOCUMENT("0415", "03a9", "bf" FIELDS(AT_BOOT, "f6", "f6", "f6") "ff",
		 "b506134f7b9dddd09d8dd10c67b686e45586871602cb0881"
		 "1590c2052824b0cf17e824a619c2258241bcbf8b1878024d");

static void a_document_has_the_registers_of_its_request(void **state)
{
	struct nsm_attestation *attestation;
	struct fixture fixture;
	size_t size;

	(void)state;
	start(&fixture, NULL);
	attestation = begin_attestation(&fixture);
	ask(&fixture, EXTEND_PCR("10", "43 010203"));
	ask(&fixture, LOCK_PCRS("1820"));
	ask(&fixture, ATTESTATION("41 01", "41 02", "41 03"));
	size = nsm_attestation_sign(attestation, fixture.response);
	bytes_expect("later requests", bare_document, fixture.response, size);
	nsm_attestation_free(attestation);
	end(&fixture);
}

static void a_document_can_be_signed_after_its_module_is_gone(void **state)
{
	struct nsm_attestation *attestation;
	struct fixture fixture;
	size_t size;

	(void)state;
	start(&fixture, NULL);
	attestation = begin_attestation(&fixture);
	nsm_module_free(fixture.module);
	fixture.module = NULL;
	size = nsm_attestation_sign(attestation, fixture.response);
	bytes_expect("no module", bare_document, fixture.response, size);
	nsm_attestation_free(attestation);
	end(&fixture);
}

static void an_attestation_need_not_be_signed(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture, NULL);
	nsm_attestation_free(begin_attestation(&fixture));
	nsm_attestation_free(NULL);
	end(&fixture);
}

static uint64_t count(void *data)
{
	uint64_t *now = data;

	return ++*now;
}

/* Else another thread could renew the leaf to one that begins after it. */
static void a_document_is_not_older_than_its_leaf(void **state)
{
	uint64_t now = 0x20;
	struct nsm_config config;
	struct fixture fixture;
	const uint8_t *at;

	(void)state;
	start(&fixture, NULL);
	nsm_module_free(fixture.module);
	config = config_of(&fixture);
	config.clock = (struct nsm_clock){ .now = count, .data = &now };
	assert_int_equal(nsm_module_new(&fixture.module, &config, NULL), 0);
	at = memmem(fixture.response,
		    ask(&fixture, ATTESTATION("f6", "f6", "f6")),
		    "itimestamp\x18", 11);
	assert_non_null(at);
	assert_true(at[11] > fixture.identity.asked_at);
	end(&fixture);
}

/* --- Undo ------------------------------------------------------------------- */

static void expect_undone(const char *request, const char *asked,
			  const char *described)
{
	struct fixture fixture;

	start(&fixture, NULL);
	ask(&fixture, request);
	nsm_module_undo(fixture.module);
	expect(&fixture, request, asked, described);
	end(&fixture);
}

static void what_was_changed_is_taken_back(void **state)
{
	(void)state;
	expect_undone(EXTEND_PCR("10", "43 010203"), DESCRIBE_PCR("10"),
		      REGISTER("f4", "00(48)"));
	expect_undone(LOCK_PCR("10"), DESCRIBE_PCR("10"),
		      REGISTER("f4", "00(48)"));
	expect_undone(LOCK_PCRS("1820"), every_register,
		      DESCRIPTION("90 " SIXTEEN));
	expect_undone("6b'DescribeNSM'", every_register,
		      DESCRIPTION("90 " SIXTEEN));
	expect_undone(READ_ONLY_INDEX, every_register,
		      DESCRIPTION("90 " SIXTEEN));
}

static void only_the_last_request_is_taken_back(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture, NULL);
	nsm_module_undo(fixture.module);
	ask(&fixture, EXTEND_PCR("10", "43 010203"));
	ask(&fixture, EXTEND_PCR("10", "43 010203"));
	nsm_module_undo(fixture.module);
	expect(&fixture, "once", DESCRIBE_PCR("10"), REGISTER("f4", ONCE));
	nsm_module_undo(fixture.module);
	nsm_module_undo(fixture.module);
	expect(&fixture, "no more", DESCRIBE_PCR("10"), REGISTER("f4", ONCE));
	ask(&fixture, LOCK_PCR("10"));
	ask(&fixture, EXTEND_PCR("10", "43 010203"));
	nsm_module_undo(fixture.module);
	expect(&fixture, "not the lock", DESCRIBE_PCR("10"),
	       REGISTER("f5", ONCE));
	end(&fixture);
}

/* --- Making one ------------------------------------------------------------- */

static int try_id(const char *module_id)
{
	struct nsm_module *module = NULL;
	struct fixture fixture;
	struct nsm_config config = config_of(&fixture);
	struct ne_error err = { 0 };
	int r;

	config.identity = NULL;
	config.module_id = module_id;
	r = nsm_module_new(&module, &config, &err);
	assert_int_equal(!module, !!r);
	assert_int_equal(err.code, -r);
	nsm_module_free(module);
	return r;
}

#define TEN "0123456789"

static void a_module_id_is_1_to_100_bytes_of_utf_8(void **state)
{
	(void)state;
	assert_int_equal(try_id(NULL), -EINVAL);
	assert_int_equal(try_id(""), -EINVAL);
	assert_int_equal(try_id("i"), 0);
	assert_int_equal(try_id("\xc3\xa9"), 0);
	assert_int_equal(try_id("\xe9"), -EINVAL);
	assert_int_equal(try_id(TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN), 0);
	assert_int_equal(try_id(TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "0"),
			 -EINVAL);
	nsm_module_free(NULL);
}

static void a_module_keeps_nothing_of_its_config(void **state)
{
	struct fixture fixture;
	struct nsm_config config;
	char id[] = "i-0-enc0";

	(void)state;
	start(&fixture, NULL);
	nsm_module_free(fixture.module);
	config = config_of(&fixture);
	config.module_id = id;
	assert_int_equal(nsm_module_new(&fixture.module, &config, NULL), 0);
	memset(id, 'x', sizeof(id));
	memset(&config, 'x', sizeof(config));
	expect(&fixture, "the config is gone", every_register,
	       DESCRIPTION("90 " SIXTEEN));
	expect(&fixture, "the config is gone", DESCRIBE_PCR("00"),
	       REGISTER("f5", "10(48)"));
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_has_its_response),
		cmocka_unit_test(randomness_is_256_bytes_and_new_each_time),
		cmocka_unit_test(a_part_of_a_request_is_an_invalid_operation),
		cmocka_unit_test(a_response_is_no_longer_than_0x3000_bytes),
		cmocka_unit_test(a_long_chain_is_too_long),
		cmocka_unit_test(a_document_has_the_registers_of_its_request),
		cmocka_unit_test(
			a_document_can_be_signed_after_its_module_is_gone),
		cmocka_unit_test(an_attestation_need_not_be_signed),
		cmocka_unit_test(a_document_is_not_older_than_its_leaf),
		cmocka_unit_test(what_was_changed_is_taken_back),
		cmocka_unit_test(only_the_last_request_is_taken_back),
		cmocka_unit_test(a_module_id_is_1_to_100_bytes_of_utf_8),
		cmocka_unit_test(a_module_keeps_nothing_of_its_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
