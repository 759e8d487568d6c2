; Installs for one user, who need not be an administrator. /S says nothing and asks nothing.
Target amd64-unicode
Name "Palimpsest"
OutFile "${MADE}"
InstallDir "$LOCALAPPDATA\Programs\Palimpsest"
RequestExecutionLevel user
SetCompressor /SOLID lzma
Icon "${TREE}/palimpsest.ico"
UninstallIcon "${TREE}/palimpsest.ico"
VIProductVersion "${VERSION}.0"
VIAddVersionKey "ProductName" "Palimpsest"
VIAddVersionKey "FileDescription" "Palimpsest's installer"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "LegalCopyright" "The Palimpsest authors, Apache 2.0"
!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Palimpsest"

Page directory
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

Section
    ; An older one goes first, so that nothing of it is imported.
    RMDir /r "$INSTDIR\Lib"
    SetOutPath "$INSTDIR"
    File /r "${TREE}/*"
    WriteUninstaller "$INSTDIR\uninstall.exe"
    CreateShortcut "$SMPROGRAMS\Palimpsest.lnk" "$INSTDIR\pythonw.exe" "-P -m palimpsest.app.main" "$INSTDIR\palimpsest.ico"
    WriteRegStr HKCU "${KEY}" "DisplayName" "Palimpsest"
    WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
    WriteRegStr HKCU "${KEY}" "DisplayIcon" "$INSTDIR\palimpsest.ico"
    WriteRegStr HKCU "${KEY}" "InstallLocation" "$INSTDIR"
    WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
    WriteRegStr HKCU "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
    WriteRegDWORD HKCU "${KEY}" "EstimatedSize" ${SIZE}
    WriteRegDWORD HKCU "${KEY}" "NoModify" 1
    WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
SectionEnd

Section "Uninstall"
    IfFileExists "$PROFILE\.cache\huggingface\hub\*.*" 0 +2
    MessageBox MB_OK "Checkpoints that were fetched stay in $PROFILE\.cache\huggingface\hub, which other programs use too." /SD IDOK
    RMDir /r "$INSTDIR"
    Delete "$SMPROGRAMS\Palimpsest.lnk"
    DeleteRegKey HKCU "${KEY}"
SectionEnd
