// SPDX-License-Identifier: Apache-2.0
#include "eif/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "config.h"
#include "libne/cleanup.h"

#define TIME_SIZE 64
#define LAST_TIME 253402300799 /* of year 9999 */

static void cleanup_jsonp(json_t **json)
{
	json_decref(*json);
}

#define cleanup_json __attribute__((cleanup(cleanup_jsonp)))

static int parse_epoch(const char *text, time_t *epoch, struct ne_error *err)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || *end || end == text || value < 0 || value > LAST_TIME)
		return ne_error_set(err, EINVAL,
				    "SOURCE_DATE_EPOCH=%s is no number of "
				    "seconds since 1970",
				    text);
	*epoch = (time_t)value;
	return 0;
}

static int build_time(char text[TIME_SIZE], struct ne_error *err)
{
	const char *variable = getenv("SOURCE_DATE_EPOCH");
	time_t epoch = 0;
	struct tm utc;
	int ret;

	ret = variable ? parse_epoch(variable, &epoch, err) : 0;
	if (ret)
		return ret;
	gmtime_r(&epoch, &utc);
	strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%S+00:00", &utc);
	return 0;
}

static int load_custom(const char *path, json_t **custom, struct ne_error *err)
{
	json_error_t why;

	*custom = path ? json_load_file(path, 0, &why) : json_object();
	if (!*custom)
		return ne_error_set(err, EINVAL,
				    "%s: no JSON: line %d column %d: %s", path,
				    why.line, why.column, why.text);
	if (!json_is_object(*custom))
		return ne_error_set(err, EINVAL, "%s: JSON, but no object",
				    path);
	return 0;
}

int make_metadata(const struct metadata *metadata, char **json,
		  struct ne_error *err)
{
	cleanup_json json_t *custom = NULL;
	cleanup_json json_t *all = NULL;
	char time[TIME_SIZE];
	int ret;

	ret = load_custom(metadata->custom, &custom, err);
	if (!ret)
		ret = build_time(time, err);
	if (ret)
		return ret;
	all = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:{}, s:O}",
			"ImageName", metadata->name, "ImageVersion",
			metadata->version, "BuildMetadata", "BuildTime", time,
			"BuildTool", "eif", "BuildToolVersion", PACKAGE_VERSION,
			"OperatingSystem", "Linux", "KernelVersion",
			metadata->kernel_version, "DockerInfo",
			"CustomMetadata", custom);
	if (!all)
		return ne_error_set(err, EINVAL,
				    "the image's name or version is not UTF-8");
	*json = json_dumps(all, JSON_COMPACT);
	return *json ? 0 : ne_error_set(err, ENOMEM, "out of memory");
}
