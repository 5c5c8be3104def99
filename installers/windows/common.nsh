; What the set-up and the uninstaller share.

!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Lanthorn"
!define RUN_KEY "Software\Microsoft\Windows\CurrentVersion\Run"
!define APP_ID "org.lanthorn.desktop"
!define TRAY "lanthorn-desktop.exe"
!define ACCOUNT "NT SERVICE\Lanthorn"
!define RULE "Lanthorn"
!define TCP_PORTS "5222,5223,7443,7070,9091,5275"
!define UDP_PORTS "54327"
; Where this is, all of the folder is ours.
!define MARK "resources\runtime\runtime.json"

Var data      ; %ProgramData%\Lanthorn
Var person    ; who installs it, as DOMAIN\NAME; "" for the system itself

!macro Prepare
  SetRegView 64
  SetShellVarContext all
  StrCpy $data "$APPDATA\Lanthorn"
  ReadEnvStr $0 USERDOMAIN
  ReadEnvStr $1 USERNAME
  StrCpy $2 $1 1 -1
  StrCpy $person ""
  ${If} $1 != ""
  ${AndIf} $1 != "SYSTEM"
  ${AndIf} $2 != "$$"
    StrCpy $person "$1"
    ${If} $0 != ""
      StrCpy $person "$0\$1"
    ${EndIf}
  ${EndIf}
!macroend

; One line in the log of the set-up.
!macro Note line
  Push $R9
  CreateDirectory "$data\logs"
  FileOpen $R9 "$data\logs\setup.log" a
  FileSeek $R9 0 END
  FileWriteUTF16LE /BOM $R9 `${line}$\r$\n`
  FileClose $R9
  Pop $R9
!macroend
!define Note "!insertmacro Note"

; Runs a program without a window; $0 is its exit code afterwards.
!macro Run command
  nsExec::ExecToLog `${command}`
  Pop $0
  !insertmacro Note `$0 ${command}`
!macroend
!define Run "!insertmacro Run"

!macro GiveUp sentence
  !insertmacro Note `${sentence}`
  MessageBox MB_ICONSTOP "${sentence}" /SD IDOK
  Abort "${sentence}"
!macroend
!define GiveUp "!insertmacro GiveUp"

; It has nothing to lose, and the server goes on without it.
!macro StopTray
  ${Run} 'taskkill /F /IM ${TRAY}'
!macroend

!macro CloseFirewall
  ${Run} 'netsh advfirewall firewall delete rule name="${RULE}"'
!macroend

!macro RemoveProgram folder
  ${If} ${FileExists} "${folder}\${MARK}"
    RMDir /r "${folder}"
  ${EndIf}
!macroend
