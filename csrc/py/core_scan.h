/* core_scan.h - the scanner's functions and its type NotStatic, for core_module.c. */
#ifndef CORE_SCAN_H
#define CORE_SCAN_H

#include "core_state.h"

/* Add scan_file, scan_source and NotStatic to the module.  -1 with an exception. */
int imigpy_scan_setup(PyObject *module);

#endif /* CORE_SCAN_H */
