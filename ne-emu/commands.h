/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of ne-emu, one file each. They return an exit status. */
#ifndef NE_EMU_COMMANDS_H
#define NE_EMU_COMMANDS_H

int command_run(int argc, char **argv);

#endif
