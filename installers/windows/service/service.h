/* What the two halves of the Windows service share: its name, and how a fault is told. */
#pragma once
#define WIN32_LEAN_AND_MEAN
#define _WIN32_WINNT 0x0A00
#include <windows.h>

#define SERVICE_NAME L"Lanthorn"
/* A stop in order takes the server up to 30 seconds; after this it is ended with all that it started. */
#define STOP_MS 45000
/* How long Windows waits for us when the computer is switched off. */
#define SHUTDOWN_MS 60000

/* `install auto|manual`, `start`, `stop`, `remove`. Returns the exit code: 0, or the error of Windows. */
int registerService(int argc, wchar_t **argv);
