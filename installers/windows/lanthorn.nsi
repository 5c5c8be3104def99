; The set-up of Lanthorn for Windows, for all people of the PC. setup.ts calls makensis with the names in ${…}; every path in it is absolute.
; Silent: /S, with /D=FOLDER (last, without quotes), /AUTOSTART=0, /FIREWALL=0; the uninstaller: /S, with /PURGE to remove the data too.
; Exit codes: 0 done, 1 cancelled, 2 not done: the reason stands in %ProgramData%\Lanthorn\logs\setup.log.

; Where this NSIS can, a program of 64 bits: Windows without its 32-bit half, and Wine, run it too.
!if /FileExists "${NSISDIR}/Stubs/zlib-amd64-unicode"
  Target amd64-unicode
!endif
Unicode true
SetCompressor zlib
!ifdef QUICK
  SetCompress off
!endif
RequestExecutionLevel admin
ManifestDPIAware true
AllowSkipFiles off

!include MUI2.nsh
!include FileFunc.nsh
!include LogicLib.nsh
!include WinVer.nsh
!include x64.nsh
!include "${HERE}/common.nsh"
!include "${HERE}/options.nsh"
!include "${HERE}/uninstall.nsh"

Name "Lanthorn"
OutFile "${OUTPUT}"
InstallDir "$PROGRAMFILES64\Lanthorn"
BrandingText "Lanthorn ${VERSION}"
VIProductVersion "${FILE_VERSION}"
VIAddVersionKey ProductName "Lanthorn"
VIAddVersionKey ProductVersion "${VERSION}"
VIAddVersionKey FileVersion "${FILE_VERSION}"
VIAddVersionKey FileDescription "Set-up of Lanthorn, chat for the office"
VIAddVersionKey LegalCopyright "MIT licence"

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_ABORTWARNING
!define MUI_FINISHPAGE_RUN
!define MUI_FINISHPAGE_RUN_TEXT "Open Lanthorn"
!define MUI_FINISHPAGE_RUN_FUNCTION openProgram
Page custom showOptions takeOptions
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
UninstPage custom un.showQuestion un.takeAnswer
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

Var former    ; the folder of the version that is here already, or ""
Var isMoved   ; "1" while that version lies aside

Function .onInit
  !insertmacro Prepare
  ${IfNot} ${RunningX64}
  ${OrIfNot} ${AtLeastWin10}
    MessageBox MB_ICONSTOP "Lanthorn needs Windows 10 or newer, of 64 bits." /SD IDOK
    SetErrorLevel 2
    Quit
  ${EndIf}
  ReadRegStr $former HKLM "${UNINSTALL_KEY}" "InstallLocation"
  ${If} $former != ""
  ${AndIf} $INSTDIR == "$PROGRAMFILES64\Lanthorn"
    StrCpy $INSTDIR $former
  ${EndIf}
  Call readOptions
FunctionEnd

Section
  Call refuseForeignFolder
  Call stopFormer
  Call putFormerAside
  Call unpack
  Call makeFolders
  Call makeService
  Call openFirewall
  Call makeEntries
  ${If} $isMoved == "1"
    RMDir /r "$INSTDIR.former"
    StrCpy $isMoved ""
  ${EndIf}
  ${If} $former != ""
  ${AndIf} $former != $INSTDIR
    !insertmacro RemoveProgram $former
  ${EndIf}
  ${Run} '"$INSTDIR\resources\service\lanthorn-service.exe" start'
  ${Note} "Lanthorn ${VERSION} is installed in $INSTDIR."
SectionEnd

; Whatever went wrong, the version that was here works again.
Function .onInstFailed
  ${If} $isMoved == "1"
    RMDir /r "$INSTDIR"
    Rename "$INSTDIR.former" "$INSTDIR"
  ${EndIf}
  ${If} $former != ""
    ${Run} '"$former\resources\service\lanthorn-service.exe" start'
  ${EndIf}
FunctionEnd

; All of the folder goes when Lanthorn is removed: nothing else may live in it.
Function refuseForeignFolder
  ${GetParent} "$INSTDIR" $0
  ${If} $0 == ""
    ${GiveUp} "Lanthorn needs a folder of its own, not the drive $INSTDIR."
  ${EndIf}
  ${If} ${FileExists} "$INSTDIR\*.*"
  ${AndIfNot} ${FileExists} "$INSTDIR\${MARK}"
    ${DirState} "$INSTDIR" $0
    ${If} $0 == 1
      ${GiveUp} "There are files of something else in $INSTDIR: choose another folder, or an empty one."
    ${EndIf}
  ${EndIf}
FunctionEnd

Function stopFormer
  !insertmacro StopTray
  ${If} ${FileExists} "$former\resources\service\lanthorn-service.exe"
    DetailPrint "Stopping chat on this PC…"
    ${Run} '"$former\resources\service\lanthorn-service.exe" stop'
    ${If} $0 != 0
      ${GiveUp} "The service Lanthorn could not be stopped (code $0). Nothing was changed."
    ${EndIf}
  ${EndIf}
FunctionEnd

; A folder can be moved only while nothing in it is open: this is the proof, and the way back.
Function putFormerAside
  ${IfNot} ${FileExists} "$INSTDIR\${MARK}"
    Return
  ${EndIf}
  RMDir /r "$INSTDIR.former"
  ClearErrors
  Rename "$INSTDIR" "$INSTDIR.former"
  ${If} ${Errors}
    ${GiveUp} "Files in $INSTDIR are in use: close Lanthorn and whatever looks into that folder. Nothing was changed."
  ${EndIf}
  StrCpy $isMoved "1"
FunctionEnd

Function unpack
  SetOutPath "$INSTDIR"
  File /r "${PROGRAM}/*.*"
  SetOutPath "$INSTDIR\resources"
  File "/oname=service.json" "${HERE}/service.json"
  SetOutPath "$INSTDIR\resources\service"
  File "/oname=lanthorn-service.exe" "${SERVICE}"
  SetOutPath "$INSTDIR"
  WriteUninstaller "$INSTDIR\Uninstall.exe"
FunctionEnd

; The account of the service is known to Windows only once there is the service.
Function makeService
  ${If} $isAutostart == ${BST_CHECKED}
    StrCpy $1 "auto"
  ${Else}
    StrCpy $1 "manual"
  ${EndIf}
  ${Run} '"$INSTDIR\resources\service\lanthorn-service.exe" install $1'
  ${If} $0 != 0
    ${GiveUp} "The service Lanthorn could not be made (code $0)."
  ${EndIf}
  Call guardFolders
FunctionEnd

Function makeFolders
  CreateDirectory "$data\data"
  CreateDirectory "$data\run"
  CreateDirectory "$data\logs"
  ${If} ${FileExists} "$EXEDIR\autosetup.json"
  ${AndIfNot} ${FileExists} "$data\data\node.json"
    CopyFiles /SILENT "$EXEDIR\autosetup.json" "$data\autosetup.json"
    ${Note} "autosetup.json was taken from $EXEDIR."
  ${EndIf}
FunctionEnd

; Who may read and write. By number where Windows translates the names: S-1-5-18 the system, S-1-5-32-544 administrators, S-1-5-32-545 users,
; S-1-15-2-1 and -2 programs in a sandbox (the window's own).
Function guardFolders
  ${If} $former == ""
    ; Anybody may have made folders of this name before: their owner, and what they allowed, go.
    ${Run} 'icacls "$data" /setowner *S-1-5-32-544 /T /C /Q'
    ${Run} 'icacls "$data" /reset /T /C /Q'
  ${EndIf}
  ${Run} 'icacls "$data" /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F "${ACCOUNT}:(OI)(CI)RX" /Q'
  ${Run} 'icacls "$data\data" /grant:r "${ACCOUNT}:(OI)(CI)M" /Q'
  ${Run} 'icacls "$data\run" /grant:r "${ACCOUNT}:(OI)(CI)M" /Q'
  ${Run} 'icacls "$data\logs" /grant:r "${ACCOUNT}:(OI)(CI)M" /Q'
  ${If} $person != ""
    ${Run} 'icacls "$data\run" /grant "$person:(OI)(CI)RX" /Q'
  ${EndIf}
  ${Run} 'icacls "$INSTDIR" /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F *S-1-5-32-545:(OI)(CI)RX *S-1-15-2-1:(OI)(CI)RX *S-1-15-2-2:(OI)(CI)RX /Q'
FunctionEnd

; In networks that Windows calls public (it calls most so, unless somebody says otherwise) only for the PCs of the same network.
Function openFirewall
  !insertmacro CloseFirewall
  ${If} $isReachable != ${BST_CHECKED}
    Return
  ${EndIf}
  StrCpy $1 'netsh advfirewall firewall add rule name="${RULE}" dir=in action=allow program="$INSTDIR\resources\runtime\node\node.exe"'
  ${Run} '$1 protocol=TCP localport=${TCP_PORTS} profile=domain,private'
  ${Run} '$1 protocol=UDP localport=${UDP_PORTS} profile=domain,private'
  ${Run} '$1 protocol=TCP localport=${TCP_PORTS} profile=public remoteip=localsubnet'
  ${Run} '$1 protocol=UDP localport=${UDP_PORTS} profile=public remoteip=localsubnet'
FunctionEnd

Function makeEntries
  CreateShortcut "$SMPROGRAMS\Lanthorn.lnk" "$INSTDIR\${TRAY}"
  ; As the tray's own menu writes it.
  ${If} $isAutostart == ${BST_CHECKED}
    WriteRegStr HKCU "${RUN_KEY}" "${APP_ID}" '"$INSTDIR\${TRAY}" --hidden'
  ${Else}
    DeleteRegValue HKCU "${RUN_KEY}" "${APP_ID}"
  ${EndIf}
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayName" "Lanthorn"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\Uninstall.exe"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "Publisher" "Lanthorn"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\Uninstall.exe"'
  WriteRegStr HKLM "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\Uninstall.exe" /S'
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "EstimatedSize" ${SIZE_KB}
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoModify" 1
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoRepair" 1
  ; What was chosen, for the next version.
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "Autostart" $isAutostart
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "Firewall" $isReachable
FunctionEnd

; Set-up runs as an administrator; the window should not.
Function openProgram
  Exec '"$WINDIR\explorer.exe" "$INSTDIR\${TRAY}"'
FunctionEnd
