; The one page of the set-up: where to, start with the computer, firewall.

Var folderField
Var autostartBox
Var firewallBox
Var isAutostart  ; ${BST_CHECKED} or ${BST_UNCHECKED}
Var isReachable  ; the same

; The command line says, else what was chosen for the version before, else yes.
!macro ReadOption variable name
  ${GetOptions} $0 "/${name}=" $1
  ${If} ${Errors}
    ReadRegDWORD $1 HKLM "${UNINSTALL_KEY}" "${name}"
    ${If} ${Errors}
      StrCpy $1 "1"
    ${EndIf}
  ${EndIf}
  ${If} $1 == "0"
    StrCpy ${variable} ${BST_UNCHECKED}
  ${Else}
    StrCpy ${variable} ${BST_CHECKED}
  ${EndIf}
!macroend

Function readOptions
  ${GetParameters} $0
  ClearErrors
  !insertmacro ReadOption $isAutostart "Autostart"
  ClearErrors
  !insertmacro ReadOption $isReachable "Firewall"
FunctionEnd

Function showOptions
  !insertmacro MUI_HEADER_TEXT "Lanthorn ${VERSION}" "Chat for the office, on this PC."
  nsDialogs::Create 1018
  Pop $0
  ${NSD_CreateLabel} 0 0 100% 10u "Install in this folder:"
  Pop $0
  ${NSD_CreateDirRequest} 0 12u 78% 13u "$INSTDIR"
  Pop $folderField
  ${NSD_CreateBrowseButton} 80% 12u 20% 13u "Browse…"
  Pop $0
  ${NSD_OnClick} $0 browse
  ${NSD_CreateCheckbox} 0 40u 100% 11u "&Start with the computer"
  Pop $autostartBox
  ${NSD_SetState} $autostartBox $isAutostart
  ${NSD_CreateCheckbox} 0 60u 100% 11u "&Let other PCs in this office reach it"
  Pop $firewallBox
  ${NSD_SetState} $firewallBox $isReachable
  ${NSD_CreateLabel} 12u 73u 95% 30u "Opens the firewall of Windows for this program alone: ports 5222 and 5223 (chat), 7443 and 7070 (chat in browsers), 9091 (admin pages), 5275 and ${UDP_PORTS}/udp (the PCs of the office among themselves)."
  Pop $0
  nsDialogs::Show
FunctionEnd

Function browse
  ${NSD_GetText} $folderField $0
  nsDialogs::SelectFolderDialog "Install Lanthorn in" "$0"
  Pop $0
  ${If} $0 != error
    StrCpy $1 $0 "" -9
    ${If} $1 != "\Lanthorn"
      StrCpy $0 "$0\Lanthorn"
    ${EndIf}
    ${NSD_SetText} $folderField $0
  ${EndIf}
FunctionEnd

Function takeOptions
  ${NSD_GetText} $folderField $INSTDIR
  ${NSD_GetState} $autostartBox $isAutostart
  ${NSD_GetState} $firewallBox $isReachable
FunctionEnd
