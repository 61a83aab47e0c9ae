/* core_sql.h - sql_facts(), for core_module.c. */
#ifndef CORE_SQL_H
#define CORE_SQL_H

#include "py_common.h"

/* Add sql_facts to the module.  -1 with an exception. */
int imigpy_sql_setup(PyObject *module);

#endif /* CORE_SQL_H */
