; The uninstaller: asks whether the data goes, and keeps it unless somebody says so.

Var purgeBox
Var isPurge  ; ${BST_CHECKED} or ${BST_UNCHECKED}

Function un.onInit
  !insertmacro Prepare
  ${GetParameters} $0
  ClearErrors
  ${GetOptions} $0 "/PURGE" $1
  ${If} ${Errors}
    StrCpy $isPurge ${BST_UNCHECKED}
  ${Else}
    StrCpy $isPurge ${BST_CHECKED}
  ${EndIf}
FunctionEnd

Function un.showQuestion
  !insertmacro MUI_HEADER_TEXT "Remove Lanthorn" "Chat on this PC stops. Other PCs of the office go on."
  nsDialogs::Create 1018
  Pop $0
  ${NSD_CreateLabel} 0 0 100% 22u "The data of this PC (people, messages, files, keys, backups) stays in $data, and is there again when Lanthorn is installed again."
  Pop $0
  ${NSD_CreateCheckbox} 0 32u 100% 11u "&Remove the data too. It cannot be brought back."
  Pop $purgeBox
  ${NSD_SetState} $purgeBox $isPurge
  nsDialogs::Show
FunctionEnd

Function un.takeAnswer
  ${NSD_GetState} $purgeBox $isPurge
FunctionEnd

Section Uninstall
  !insertmacro StopTray
  ${Run} '"$INSTDIR\resources\service\lanthorn-service.exe" remove'
  ${If} $0 != 0
    ${GiveUp} "The service Lanthorn could not be stopped and removed (code $0)."
  ${EndIf}
  !insertmacro CloseFirewall
  Delete "$SMPROGRAMS\Lanthorn.lnk"
  DeleteRegValue HKCU "${RUN_KEY}" "${APP_ID}"
  DeleteRegKey HKLM "${UNINSTALL_KEY}"
  ${If} $isPurge == ${BST_CHECKED}
    RMDir /r "$data"
  ${Else}
    RMDir /r "$data\run"
    ${Note} "Lanthorn ${VERSION} was removed; the data stays."
  ${EndIf}
  !insertmacro RemoveProgram $INSTDIR
SectionEnd
