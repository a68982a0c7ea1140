// SPDX-License-Identifier: Apache-2.0
#include <ne/nsm.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "libne/cleanup.h"
#include "libne/nsm_codec.h"

/*
 * linux/nsm.h came with Linux 6.8; Debian 12 has no such header. An ioctl with
 * _IOWR(0x0A, 0, ...) takes two buffers, request and response, each an address
 * and a length, all 64 bits wide.
 */
struct buffer {
	uint64_t address;
	uint64_t length;
};

struct message {
	struct buffer request;
	struct buffer response; /* length: comes back as that of the response */
};

#define NSM_RAW _IOWR(0x0A, 0, struct message)
_Static_assert(sizeof(struct message) == 32, "as linux/nsm.h has it");

int ne_nsm_open(const char *path, struct ne_error *err)
{
	int fd;

	path = path ? path : NE_NSM_PATH;
	do
		fd = open(path, O_RDWR | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return ne_error_set(err, errno,
				    "there is no %s: this is no Nitro enclave, "
				    "or its kernel has no nsm driver, or the "
				    "driver is not loaded (modprobe nsm, or "
				    "insmod nsm.ko)",
				    path);
	case EACCES:
	case EPERM:
		return ne_error_set(err, errno,
				    "cannot open %s: %s; root may, or whoever "
				    "root lets (chmod)",
				    path, ne_strerror(errno));
	default:
		return ne_error_set(err, errno, "cannot open %s: %s", path,
				    ne_strerror(errno));
	}
}

/* --- Any request ------------------------------------------------------------ */

static int too_large(struct ne_error *err)
{
	return ne_error_set(err, E2BIG,
			    "too much data: a request to the NSM has %d bytes "
			    "at most",
			    NE_NSM_REQUEST_MAX);
}

static int driver_failed(int error, struct ne_error *err)
{
	switch (error) {
	case EMSGSIZE:
		return too_large(err);
	case EINVAL: /* the driver's answer to a request that is not its own */
	case ENOTTY:
		return ne_error_set(err, ENOTTY,
				    "this descriptor is no NSM; open %s",
				    NE_NSM_PATH);
	case ETIMEDOUT:
		return ne_error_set(err, ETIMEDOUT,
				    "the NSM has not answered in time");
	default:
		return ne_error_set(err, error, "the NSM cannot be asked: %s",
				    ne_strerror(error));
	}
}

ssize_t ne_nsm_request(int nsm, const void *request, size_t request_size,
		       void *response, size_t response_size,
		       struct ne_error *err)
{
	struct message message;
	int ret;

	if (request_size > NE_NSM_REQUEST_MAX)
		return too_large(err);
	do {
		message = (struct message){
			.request = { (uintptr_t)request, request_size },
			.response = { (uintptr_t)response, response_size },
		};
		ret = ioctl(nsm, NSM_RAW, &message);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return driver_failed(errno, err);
	if (message.response.length > response_size)
		return ne_error_set(err, EPROTO,
				    "the NSM's driver says that it wrote more "
				    "than there was room for");
	return (ssize_t)message.response.length;
}

/* --- The seven -------------------------------------------------------------- */

struct exchange {
	uint8_t request[NE_NSM_REQUEST_MAX];
	uint8_t response[NE_NSM_RESPONSE_MAX];
	struct cbor_out out; /* into request */
	struct cbor_in in;   /* out of response */
};

static void begin(struct exchange *exchange)
{
	exchange->out = (struct cbor_out){
		.start = exchange->request,
		.capacity = sizeof(exchange->request),
	};
}

/* Sends the request that was put into `out`; the response is in `in` then. */
static int ask(int nsm, struct exchange *exchange, struct ne_error *err)
{
	ssize_t size;

	if (exchange->out.full)
		return too_large(err);
	size = ne_nsm_request(nsm, exchange->request, exchange->out.used,
			      exchange->response, sizeof(exchange->response),
			      err);
	if (size < 0)
		return (int)size;
	exchange->in = (struct cbor_in){
		.at = exchange->response,
		.left = (size_t)size,
	};
	return 0;
}

int ne_nsm_describe(int nsm, struct ne_nsm_description *description,
		    struct ne_error *err)
{
	struct exchange exchange;
	int ret;

	begin(&exchange);
	nsm_client_put_describe(&exchange.out);
	ret = ask(nsm, &exchange, err);
	if (!ret)
		ret = nsm_client_read_describe(exchange.in, description, err);
	if (ret)
		ne_error_prefix(err, "cannot describe the NSM");
	return ret;
}

int ne_nsm_describe_pcr(int nsm, uint16_t index, struct ne_pcr *value,
			bool *locked, struct ne_error *err)
{
	struct exchange exchange;
	int ret;

	begin(&exchange);
	nsm_client_put_describe_pcr(&exchange.out, index);
	ret = ask(nsm, &exchange, err);
	if (!ret)
		ret = nsm_client_read_describe_pcr(exchange.in, value, locked,
						   err);
	if (ret)
		ne_error_prefix(err, "cannot read PCR %u", index);
	return ret;
}

int ne_nsm_extend_pcr(int nsm, uint16_t index, const void *data, size_t size,
		      struct ne_pcr *value, struct ne_error *err)
{
	struct exchange exchange;
	int ret;

	begin(&exchange);
	nsm_client_put_extend_pcr(&exchange.out, index, data, size);
	ret = ask(nsm, &exchange, err);
	if (!ret)
		ret = nsm_client_read_extend_pcr(exchange.in, value, err);
	if (ret)
		ne_error_prefix(err, "cannot extend PCR %u", index);
	return ret;
}

int ne_nsm_lock_pcr(int nsm, uint16_t index, struct ne_error *err)
{
	struct exchange exchange;
	int ret;

	begin(&exchange);
	nsm_client_put_lock_pcr(&exchange.out, index);
	ret = ask(nsm, &exchange, err);
	if (!ret)
		ret = nsm_client_read_lock_pcr(exchange.in, err);
	if (ret)
		ne_error_prefix(err, "cannot lock PCR %u", index);
	return ret;
}

int ne_nsm_lock_pcrs(int nsm, uint16_t range, struct ne_error *err)
{
	struct exchange exchange;
	int ret;

	begin(&exchange);
	nsm_client_put_lock_pcrs(&exchange.out, range);
	ret = ask(nsm, &exchange, err);
	if (!ret)
		ret = nsm_client_read_lock_pcrs(exchange.in, err);
	if (ret)
		ne_error_prefix(err, "cannot lock the first %u PCRs", range);
	return ret;
}

static int random_piece(int nsm, struct exchange *exchange, uint8_t *to,
			size_t capacity, size_t *size, struct ne_error *err)
{
	int ret;

	begin(exchange);
	nsm_client_put_random(&exchange->out);
	ret = ask(nsm, exchange, err);
	return ret ? ret
		   : nsm_client_read_random(exchange->in, to, capacity, size,
					    err);
}

int ne_nsm_random(int nsm, void *buffer, size_t size, struct ne_error *err)
{
	struct exchange exchange;
	uint8_t *to = buffer;
	size_t got;
	int ret = 0;

	while (size && !ret) {
		ret = random_piece(nsm, &exchange, to, size, &got, err);
		if (ret)
			break;
		to += got;
		size -= got;
	}
	/* May have been a key. */
	explicit_bzero(exchange.response, sizeof(exchange.response));
	if (ret)
		ne_error_prefix(err, "cannot get random numbers");
	return ret;
}

int ne_nsm_attest(int nsm, const struct ne_nsm_attest_input *input,
		  uint8_t **document, size_t *size, struct ne_error *err)
{
	static const struct ne_nsm_attest_input nothing;
	struct exchange exchange;
	int ret;

	begin(&exchange);
	nsm_client_put_attestation(&exchange.out, input ? input : &nothing);
	ret = ask(nsm, &exchange, err);
	if (!ret)
		ret = nsm_client_read_attestation(exchange.in, document, size,
						  err);
	if (ret)
		ne_error_prefix(err, "cannot get an attestation document");
	return ret;
}
