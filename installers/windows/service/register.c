/* Makes the service known to Windows, starts, stops and removes it: what the set-up calls. Each command may be repeated. */
#include "service.h"
#include <stdio.h>
#include <wchar.h>

#define ACCOUNT L"NT SERVICE\\" SERVICE_NAME
#define LOOK_MS 250
#define START_MS 30000
/* Of the service itself: the server is started again by it. */
#define RESTART_MS 60000
#define FORGET_FAULTS_S 86400

static int complain(const wchar_t *what)
{
    DWORD error = GetLastError();
    fwprintf(stderr, L"%ls: error %lu of Windows.\n", what, error);
    return (int)error;
}

/* Windows of an old kind, and Wine, do without some of these. */
static void configure(SC_HANDLE service, DWORD level, void *value)
{
    if (!ChangeServiceConfig2W(service, level, value)) complain(L"Part of the service could not be set");
}

static int install(SC_HANDLE manager, const wchar_t *when)
{
    wchar_t file[MAX_PATH], quoted[MAX_PATH + 2];
    DWORD starts = wcscmp(when, L"manual") == 0 ? SERVICE_DEMAND_START : SERVICE_AUTO_START;
    SERVICE_DESCRIPTIONW description = {L"Chat for the office: the XMPP server with its database. Settings are in the program Lanthorn."};
    SC_ACTION again[] = {{SC_ACTION_RESTART, RESTART_MS}};
    SERVICE_FAILURE_ACTIONSW onFault = {.dwResetPeriod = FORGET_FAULTS_S, .cActions = 1, .lpsaActions = again};
    SERVICE_PRESHUTDOWN_INFO shutdown = {SHUTDOWN_MS};
    if (!GetModuleFileNameW(NULL, file, MAX_PATH)) return complain(L"The program does not know where it is");
    _snwprintf(quoted, MAX_PATH + 2, L"\"%ls\"", file);
    SC_HANDLE service = CreateServiceW(manager, SERVICE_NAME, L"Lanthorn", SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                       starts, SERVICE_ERROR_NORMAL, quoted, NULL, NULL, NULL, ACCOUNT, NULL);
    if (!service && GetLastError() == ERROR_SERVICE_EXISTS) {
        service = OpenServiceW(manager, SERVICE_NAME, SERVICE_ALL_ACCESS);
        /* Its account stays: somebody may have given it another one, to reach a share for backups. */
        if (service && !ChangeServiceConfigW(service, SERVICE_NO_CHANGE, starts, SERVICE_NO_CHANGE, quoted, NULL, NULL,
                                             NULL, NULL, NULL, NULL))
            return complain(L"The service could not be changed");
    }
    if (!service) return complain(L"The service could not be made");
    configure(service, SERVICE_CONFIG_DESCRIPTION, &description);
    configure(service, SERVICE_CONFIG_FAILURE_ACTIONS, &onFault);
    configure(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &shutdown);
    CloseServiceHandle(service);
    return 0;
}

/* Stops it and waits until Windows says that it has stopped: the server's time, and some for the service. */
static int stop(SC_HANDLE service)
{
    SERVICE_STATUS status;
    ULONGLONG until = GetTickCount64() + STOP_MS + 15000;
    if (!ControlService(service, SERVICE_CONTROL_STOP, &status)) {
        DWORD error = GetLastError();
        if (error == ERROR_SERVICE_NOT_ACTIVE) return 0;
        /* It is stopping already. */
        if (error != ERROR_SERVICE_CANNOT_ACCEPT_CTRL) return complain(L"The service could not be stopped");
    }
    while (QueryServiceStatus(service, &status) && status.dwCurrentState != SERVICE_STOPPED) {
        if (GetTickCount64() > until) {
            SetLastError(ERROR_SERVICE_REQUEST_TIMEOUT);
            return complain(L"The service did not stop in time");
        }
        Sleep(LOOK_MS);
    }
    return 0;
}

/* The list of services is locked while Windows starts another one. */
static int start(SC_HANDLE service)
{
    ULONGLONG until = GetTickCount64() + START_MS;
    while (!StartServiceW(service, 0, NULL)) {
        if (GetLastError() == ERROR_SERVICE_ALREADY_RUNNING) return 0;
        if (GetLastError() != ERROR_SERVICE_DATABASE_LOCKED || GetTickCount64() > until)
            return complain(L"The service could not be started");
        Sleep(LOOK_MS);
    }
    return 0;
}

int registerService(int argc, wchar_t **argv)
{
    const wchar_t *command = argv[0];
    int isInstall = wcscmp(command, L"install") == 0, isStart = wcscmp(command, L"start") == 0,
        isRemove = wcscmp(command, L"remove") == 0;
    if (!isInstall && !isStart && !isRemove && wcscmp(command, L"stop") != 0) {
        fputs("lanthorn-service install auto|manual, start, stop, remove\n", stderr);
        return ERROR_INVALID_PARAMETER;
    }
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, isInstall ? SC_MANAGER_ALL_ACCESS : SC_MANAGER_CONNECT);
    if (!manager) return complain(L"The services of Windows cannot be reached");
    if (isInstall) return install(manager, argc > 1 ? argv[1] : L"auto");
    SC_HANDLE service = OpenServiceW(manager, SERVICE_NAME, SERVICE_START | SERVICE_STOP | SERVICE_QUERY_STATUS | (isRemove ? DELETE : 0));
    /* Nothing to stop or to remove is fine. */
    if (!service && GetLastError() == ERROR_SERVICE_DOES_NOT_EXIST && !isStart) return 0;
    if (!service) return complain(L"The service cannot be reached");
    if (isStart) return start(service);
    int fault = stop(service);
    if (isRemove && !DeleteService(service) && !fault) fault = complain(L"The service could not be removed");
    return fault;
}
