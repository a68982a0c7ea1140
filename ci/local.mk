# SPDX-License-Identifier: Apache-2.0

EXTRA_DIST += %D%/build %D%/check %D%/debian %D%/demo %D%/demo-image \
	%D%/deps %D%/in-root %D%/kernel %D%/lib.sh %D%/linux-sample
EXTRA_DIST += examples/demo/app.py examples/demo/client.py \
	examples/demo/nsm.py
EXTRA_DIST += docs/troubleshooting.md .ci/run
