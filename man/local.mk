# SPDX-License-Identifier: Apache-2.0

dist_man_MANS += \
	%D%/ne-init.8 \
	%D%/eif.1 \
	%D%/ne-emu.1 \
	%D%/nsm-emu.1 \
	%D%/ne_eif_arch.3 \
	%D%/ne_eif_arch_name.3 \
	%D%/ne_eif_check_arch.3 \
	%D%/ne_eif_check_crc.3 \
	%D%/ne_eif_close.3 \
	%D%/ne_eif_cmdline.3 \
	%D%/ne_eif_crc.3 \
	%D%/ne_eif_data.3 \
	%D%/ne_eif_default_cpus.3 \
	%D%/ne_eif_default_memory.3 \
	%D%/ne_eif_fd.3 \
	%D%/ne_eif_kernel.3 \
	%D%/ne_eif_measure.3 \
	%D%/ne_eif_metadata.3 \
	%D%/ne_eif_open.3 \
	%D%/ne_eif_open_fd.3 \
	%D%/ne_eif_parse.3 \
	%D%/ne_eif_ramdisk.3 \
	%D%/ne_eif_ramdisk_count.3 \
	%D%/ne_eif_section.3 \
	%D%/ne_eif_section_count.3 \
	%D%/ne_eif_signature.3 \
	%D%/ne_eif_size.3 \
	%D%/ne_eif_size_from_header.3 \
	%D%/ne_eif_version.3 \
	%D%/ne_eif_writer_append.3 \
	%D%/ne_eif_writer_append_fd.3 \
	%D%/ne_eif_writer_begin.3 \
	%D%/ne_eif_writer_finish.3 \
	%D%/ne_eif_writer_free.3 \
	%D%/ne_eif_writer_new.3 \
	%D%/ne_pcr_extend.3 \
	%D%/ne_pcr_to_hex.3

# libne's lifecycle and ne-run
dist_man_MANS += \
	%D%/ne-run.1 \
	%D%/ne_console_connect.3 \
	%D%/ne_control_format.3 \
	%D%/ne_control_parse.3 \
	%D%/ne_control_read.3 \
	%D%/ne_cpu_list_parse.3 \
	%D%/ne_device_open.3 \
	%D%/ne_enclave_add_cpu_ids.3 \
	%D%/ne_enclave_add_cpus.3 \
	%D%/ne_enclave_cid.3 \
	%D%/ne_enclave_cpu_ids.3 \
	%D%/ne_enclave_create.3 \
	%D%/ne_enclave_end_reason.3 \
	%D%/ne_enclave_fd.3 \
	%D%/ne_enclave_free.3 \
	%D%/ne_enclave_id.3 \
	%D%/ne_enclave_load.3 \
	%D%/ne_enclave_memory.3 \
	%D%/ne_enclave_start.3 \
	%D%/ne_enclave_wait.3 \
	%D%/ne_error_prefix.3 \
	%D%/ne_error_set.3 \
	%D%/ne_heartbeat_accept.3 \
	%D%/ne_heartbeat_free.3 \
	%D%/ne_heartbeat_listen.3 \
	%D%/ne_now.3 \
	%D%/ne_strerror.3

# The NSM's clients
dist_man_MANS += \
	%D%/ne_nsm_attest.3 \
	%D%/ne_nsm_describe.3 \
	%D%/ne_nsm_describe_pcr.3 \
	%D%/ne_nsm_digest_name.3 \
	%D%/ne_nsm_extend_pcr.3 \
	%D%/ne_nsm_lock_pcr.3 \
	%D%/ne_nsm_lock_pcrs.3 \
	%D%/ne_nsm_open.3 \
	%D%/ne_nsm_random.3 \
	%D%/ne_nsm_request.3

# Attestation documents
dist_man_MANS += \
	%D%/ne-attest.1 \
	%D%/ne_attestation_aws_root.3 \
	%D%/ne_attestation_cabundle.3 \
	%D%/ne_attestation_cabundle_count.3 \
	%D%/ne_attestation_certificate.3 \
	%D%/ne_attestation_check_name.3 \
	%D%/ne_attestation_digest.3 \
	%D%/ne_attestation_free.3 \
	%D%/ne_attestation_is_debug.3 \
	%D%/ne_attestation_module_id.3 \
	%D%/ne_attestation_nonce.3 \
	%D%/ne_attestation_parse.3 \
	%D%/ne_attestation_pcr.3 \
	%D%/ne_attestation_public_key.3 \
	%D%/ne_attestation_timestamp.3 \
	%D%/ne_attestation_user_data.3 \
	%D%/ne_attestation_verify.3
