/** Every endpoint of the admin API, for serving, for OpenAPI and for the tests that compare the two. */
import { listBackups, makeBackup, proveBackup, restoreBackup } from './backups.ts'
import { downloadAuthority, getCertificates } from './certificates.ts'
import { endConnection, listConnections } from './connections.ts'
import { getDatabase, listSnippets, moveDatabase, removeOldDatabase, steerMove, testDatabase } from './database.ts'
import { getDesktop, pauseHere, resumeHere, stopHere } from './desktop.ts'
import { followEvents } from './events.ts'
import { getHealth, mendHealth, recheckHealth } from './health.ts'
import { getJoining, getMerging, startJoining, startMerging, stopJoining, stopMerging } from './joining.ts'
import { followLog, listHistory, listLog } from './logs.ts'
import {
  answerJoin,
  discoverNodes,
  drainNode,
  dropJoinCode,
  getNodes,
  makeJoinCode,
  removeNode,
  restartNode,
  resumeNode,
  setCluster,
} from './nodes.ts'
import { getConnect, getHome } from './office.ts'
import {
  addPerson,
  blockPerson,
  changePerson,
  listPeople,
  previewRemoval,
  removePerson,
  resetPassword,
} from './people.ts'
import { createLink, createToken, getSession, listTokens, openLink, revokeToken, signIn, signOut } from './session.ts'
import { changeSetting, listChanges, listSettings, undoChange } from './settings.ts'
import { checkDatabase, checkDomain, createOffice, getRecovery, getSetup, keepRecovery } from './setup.ts'
import { checkUpdates, getUpdates, installUpdates, stopUpdates } from './updates.ts'

/** By name; a name is also the operationId in OpenAPI. */
export const endpoints = {
  getSetup,
  checkDomain,
  checkDatabase,
  createOffice,
  getRecovery,
  keepRecovery,
  getJoining,
  startJoining,
  stopJoining,
  getSession,
  signIn,
  signOut,
  createLink,
  openLink,
  listTokens,
  createToken,
  revokeToken,
  getHome,
  getConnect,
  listPeople,
  addPerson,
  changePerson,
  resetPassword,
  blockPerson,
  previewRemoval,
  removePerson,
  listConnections,
  endConnection,
  listSettings,
  changeSetting,
  undoChange,
  listChanges,
  getCertificates,
  downloadAuthority,
  listLog,
  followLog,
  listHistory,
  getHealth,
  recheckHealth,
  mendHealth,
  getNodes,
  setCluster,
  makeJoinCode,
  dropJoinCode,
  answerJoin,
  discoverNodes,
  drainNode,
  resumeNode,
  restartNode,
  removeNode,
  getMerging,
  startMerging,
  stopMerging,
  getDatabase,
  testDatabase,
  moveDatabase,
  steerMove,
  removeOldDatabase,
  listSnippets,
  listBackups,
  makeBackup,
  proveBackup,
  restoreBackup,
  getDesktop,
  pauseHere,
  resumeHere,
  stopHere,
  getUpdates,
  checkUpdates,
  installUpdates,
  stopUpdates,
  followEvents,
} as const
