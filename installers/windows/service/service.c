/*
 * The Windows service "Lanthorn": Node cannot be one by itself. It starts the server, and starts it again when it ends with a fault, later each
 * time. On Windows there is no SIGTERM: it stops the server with `lanthorn stop`, and waits; also when the computer is switched off. All that the
 * server starts (PostgreSQL, Java) is in one job of Windows and ends with it, whatever happens: nothing is left that holds the data folder.
 *
 * Built by service.ts beside it, tested under Wine by test/installers/windows-service.test.ts.
 */
#include "service.h"
#include <shlobj.h>
#include <stdio.h>
#include <wchar.h>

#define PATH_CHARS 1024
#define LINE_CHARS (4 * PATH_CHARS)
#define LOG_BYTES_MAX (4 * 1024 * 1024)
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 300000
/* Who ran for so long starts again at once. */
#define GOOD_RUN_MS 600000
#define ASK_AGAIN_MS 2000

static wchar_t node[PATH_CHARS], mainFile[PATH_CHARS], ours[PATH_CHARS], logFile[PATH_CHARS], olderLogFile[PATH_CHARS];
static SERVICE_STATUS_HANDLE statusHandle;
static HANDLE told; /* set when the service shall stop */
static HANDLE logPipe, logHandle = INVALID_HANDLE_VALUE;
static CRITICAL_SECTION logLock;

/* ---- the log ---- */

/* Opens the log; a long one is put aside first, so that there are never more than two. */
static void openLog(void)
{
    LARGE_INTEGER size = {0};
    if (logHandle != INVALID_HANDLE_VALUE) {
        GetFileSizeEx(logHandle, &size);
        if (size.QuadPart < LOG_BYTES_MAX) return;
        CloseHandle(logHandle);
        MoveFileExW(logFile, olderLogFile, MOVEFILE_REPLACE_EXISTING);
    }
    logHandle = CreateFileW(logFile, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                            OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
}

static void append(const char *bytes, DWORD count)
{
    DWORD written;
    EnterCriticalSection(&logLock);
    openLog();
    if (logHandle != INVALID_HANDLE_VALUE) WriteFile(logHandle, bytes, count, &written, NULL);
    LeaveCriticalSection(&logLock);
}

/* One sentence with up to two numbers. */
static void say(const char *sentence, DWORD first, DWORD second)
{
    char line[256], text[512];
    SYSTEMTIME now;
    GetSystemTime(&now);
    snprintf(line, sizeof line, sentence, first, second);
    int count = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ %s\r\n", now.wYear, now.wMonth, now.wDay,
                         now.wHour, now.wMinute, now.wSecond, line);
    append(text, count);
}

/* What the server prints; nobody else may fill the disk with it. */
static DWORD WINAPI keepOutput(void *readEnd)
{
    char bytes[4096];
    DWORD count;
    while (ReadFile(readEnd, bytes, sizeof bytes, &count, NULL)) append(bytes, count);
    return 0;
}

/* ---- processes ---- */

/* Everything in it ends with the last handle to it, which is ours: also when this program is ended by force. */
static HANDLE makeJob(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    HANDLE job = CreateJobObjectW(NULL, NULL);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if (job) SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    return job;
}

/* Starts `lanthorn …` in the job. Returns its process, or NULL. */
static HANDLE start(HANDLE job, const wchar_t *command)
{
    wchar_t line[LINE_CHARS];
    STARTUPINFOW how = {.cb = sizeof how, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = logPipe, .hStdError = logPipe};
    PROCESS_INFORMATION made;
    _snwprintf(line, LINE_CHARS, L"\"%ls\" \"%ls\" %ls --data \"%ls\\data\"", node, mainFile, command, ours);
    if (!CreateProcessW(node, line, NULL, NULL, TRUE, CREATE_SUSPENDED | CREATE_NO_WINDOW, NULL, ours, &how, &made)) {
        say("The server cannot be started: error %lu of Windows.", GetLastError(), 0);
        return NULL;
    }
    if (!AssignProcessToJobObject(job, made.hProcess))
        say("What the server starts may outlive it: error %lu of Windows.", GetLastError(), 0);
    ResumeThread(made.hThread);
    CloseHandle(made.hThread);
    return made.hProcess;
}

static void report(DWORD state, DWORD code)
{
    static DWORD step;
    SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS, .dwCurrentState = state, .dwWin32ExitCode = code};
    if (state == SERVICE_RUNNING) status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN;
    if (state == SERVICE_STOP_PENDING) {
        status.dwCheckPoint = ++step;
        status.dwWaitHint = 3 * ASK_AGAIN_MS;
    }
    SetServiceStatus(statusHandle, &status);
}

/* Asks the server to stop until it has: one that is only starting does not listen yet. */
static void stopInOrder(HANDLE job, HANDLE server)
{
    ULONGLONG until = GetTickCount64() + STOP_MS;
    HANDLE asking = NULL;
    do {
        report(SERVICE_STOP_PENDING, NO_ERROR);
        if (asking && WaitForSingleObject(asking, 0) == WAIT_TIMEOUT) continue;
        if (asking) CloseHandle(asking);
        asking = start(job, L"stop");
    } while (WaitForSingleObject(server, ASK_AGAIN_MS) == WAIT_TIMEOUT && GetTickCount64() < until);
    if (asking) CloseHandle(asking);
    if (WaitForSingleObject(server, 0) == WAIT_TIMEOUT) say("The server did not stop in order: it is ended.", 0, 0);
}

/* Runs the server once. Returns its exit code. */
static DWORD runServer(void)
{
    DWORD code = ERROR_PROCESS_ABORTED;
    HANDLE job = makeJob();
    HANDLE server = start(job, L"run --no-open");
    if (server) {
        HANDLE either[] = {server, told};
        say("The server was started: process %lu.", GetProcessId(server), 0);
        if (WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0 + 1) stopInOrder(job, server);
        GetExitCodeProcess(server, &code);
        CloseHandle(server);
    }
    TerminateJobObject(job, 1);
    CloseHandle(job);
    return code;
}

/* Until the service is told to stop, or somebody stopped the server itself (exit code 0). */
static void supervise(void)
{
    DWORD pause = FIRST_PAUSE_MS;
    for (;;) {
        ULONGLONG began = GetTickCount64();
        DWORD code = runServer();
        if (code == 0) say("The server has stopped.", 0, 0);
        if (code == 0 || WaitForSingleObject(told, 0) == WAIT_OBJECT_0) return;
        if (GetTickCount64() - began > GOOD_RUN_MS) pause = FIRST_PAUSE_MS;
        say("The server ended with code %lu: it is started again in %lu seconds.", code, pause / 1000);
        if (WaitForSingleObject(told, pause) == WAIT_OBJECT_0) return;
        pause = pause * 2 > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause * 2;
    }
}

/* ---- the service ---- */

static DWORD WINAPI onControl(DWORD control, DWORD type, void *data, void *context)
{
    (void)type, (void)data, (void)context;
    if (control == SERVICE_CONTROL_INTERROGATE) return NO_ERROR;
    if (control != SERVICE_CONTROL_STOP && control != SERVICE_CONTROL_PRESHUTDOWN) return ERROR_CALL_NOT_IMPLEMENTED;
    report(SERVICE_STOP_PENDING, NO_ERROR);
    SetEvent(told);
    return NO_ERROR;
}

/* Where everything is: the program beside us, the data where all programs of the computer have theirs. */
static void findPlaces(void)
{
    wchar_t here[PATH_CHARS] = L"", programData[MAX_PATH] = L"C:\\ProgramData", place[PATH_CHARS];
    GetModuleFileNameW(NULL, here, PATH_CHARS);
    for (int levels = 0; levels < 2; levels++) {
        wchar_t *end = wcsrchr(here, L'\\');
        if (end) *end = 0;
    }
    SHGetFolderPathW(NULL, CSIDL_COMMON_APPDATA, NULL, SHGFP_TYPE_CURRENT, programData);
    _snwprintf(node, PATH_CHARS, L"%ls\\runtime\\node\\node.exe", here);
    _snwprintf(mainFile, PATH_CHARS, L"%ls\\runtime\\server\\main.js", here);
    _snwprintf(ours, PATH_CHARS, L"%ls\\Lanthorn", programData);
    _snwprintf(logFile, PATH_CHARS, L"%ls\\logs\\service.log", ours);
    _snwprintf(olderLogFile, PATH_CHARS, L"%ls\\logs\\service.older.log", ours);
    _snwprintf(place, PATH_CHARS, L"%ls\\run", ours);
    SetEnvironmentVariableW(L"LANTHORN_RUN_FOLDER", place);
    _snwprintf(place, PATH_CHARS, L"%ls\\autosetup.json", ours);
    SetEnvironmentVariableW(L"LANTHORN_AUTOSETUP", place);
}

static void WINAPI serviceMain(DWORD argc, wchar_t **argv)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    HANDLE readEnd;
    (void)argc, (void)argv;
    told = CreateEventW(NULL, TRUE, FALSE, NULL);
    InitializeCriticalSection(&logLock);
    findPlaces();
    statusHandle = RegisterServiceCtrlHandlerExW(SERVICE_NAME, onControl, NULL);
    if (!statusHandle) return;
    if (CreatePipe(&readEnd, &logPipe, &inherited, 0)) {
        SetHandleInformation(readEnd, HANDLE_FLAG_INHERIT, 0);
        CreateThread(NULL, 0, keepOutput, readEnd, 0, NULL);
    }
    report(SERVICE_RUNNING, NO_ERROR);
    supervise();
    report(SERVICE_STOPPED, NO_ERROR);
}

int wmain(int argc, wchar_t **argv)
{
    SERVICE_TABLE_ENTRYW services[] = {{SERVICE_NAME, serviceMain}, {NULL, NULL}};
    if (argc > 1) return registerService(argc - 1, argv + 1);
    if (StartServiceCtrlDispatcherW(services)) return 0;
    fputs("Windows itself starts this program, as the service Lanthorn.\n", stderr);
    return 1;
}
