/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of nsm-emu, one file each. They return an exit status. */
#ifndef NSM_EMU_COMMANDS_H
#define NSM_EMU_COMMANDS_H

int command_run(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_pki(int argc, char **argv);

#endif
