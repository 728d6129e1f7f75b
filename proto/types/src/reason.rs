//! Reason codes: why something is not green, why something was refused, what happened.
//!
//! One list for the whole system, because a code is part of the contract: people filter and alert on it. A code is never
//! renamed. Each has a next step, so that every place that shows a reason can say what to do.

/// Makes the enum with its texts, so that no code can be without a next step.
macro_rules! reasons {
    ($($variant:ident $code:literal $next_step:literal;)*) => {
        /// Every reason code of the system.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode {
            $(#[doc = concat!("`", $code, "`: ", $next_step)] $variant,)*
        }

        impl ReasonCode {
            /// All codes.
            pub const ALL: &[ReasonCode] = &[$(Self::$variant,)*];

            /// The code as it stands on the wire, in the database and on screens.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What a person can do next, as one sentence.
            #[must_use]
            pub const fn next_step(self) -> &'static str {
                match self { $(Self::$variant => $next_step,)* }
            }
        }
    };
}

reasons! {
    LinkConnected "link.connected" "Nothing to do.";
    LinkNeverConnected "link.never_connected" "Start the box and check that it reaches the device address of the control plane.";
    LinkClosed "link.closed" "Start the box if it was switched off; otherwise it comes back by itself.";
    LinkLost "link.lost" "Check the box's power and network if it does not come back.";
    LinkTimeout "link.timeout" "Check the box's power and network.";
    LinkSuperseded "link.superseded" "A newer connection of the same box took over; nothing to do.";
    LinkServerStopped "link.server_stopped" "Start the control plane; the box then comes back by itself.";
    LinkServerLost "link.server_lost" "Wait a minute: the box reconnects by itself.";
    LinkProtocolError "link.protocol_error" "The box sent something that breaks the protocol; update its agent.";
    LinkSlow "link.slow" "The box did not read fast enough; check its network.";
    LinkFenced "link.fenced" "This session is no longer the newest one of its box; nothing to do.";
    LinkDecided "link.decided" "Somebody decided which box goes on under this identity; the box comes back by itself.";
    LinkBusy "link.busy" "Too many boxes connect at once; the box comes back by itself.";
    LinkUnsupportedProtocol "link.unsupported_protocol" "Update the older of agent and control plane.";

    PeerNoCertificate "peer.no_certificate" "Enrol the box first.";
    PeerUnknownIssuer "peer.unknown_issuer" "The certificate is from another authority; enrol the box with this control plane.";
    PeerServerUntrusted "peer.server_untrusted" "The box does not believe the server: check its address, the trust hash that the box was given, and the box's clock; if they are right, somebody is in between.";
    PeerServerNotValidNow "peer.server_certificate_not_valid_now" "Set the box's clock; if it is right, check the server's address: somebody else may answer there, or the control plane's certificate is not valid.";
    PeerExpired "peer.certificate_expired" "The certificate has run out; the box proves its key and gets a new one by itself.";
    PeerNotYetValid "peer.certificate_not_yet_valid" "Set the clock of the box or of the control plane.";
    PeerInvalid "peer.certificate_invalid" "The certificate does not name a device of this kind; enrol the box again.";
    PeerRecoveryExpired "peer.recovery_expired" "The box was away for longer than it may be; allow it with `fleetctl device extend device/NAME`, and it comes back by itself.";
    PeerDeviceDeleted "peer.device_deleted" "The device was deleted; enrol the box again to bring it back.";
    PeerDeviceRevoked "peer.device_revoked" "Somebody took this box's right to connect away, and its key counts for nothing any more; if they agree, give it another with `kaliun-edge enroll --new-key`.";
    PeerDeviceDecommissioned "peer.device_decommissioned" "This box was taken out of service; to use it again, enrol it anew with `kaliun-edge enroll --new-key`.";
    PeerIdentityWipe "peer.identity_wipe" "This box was taken out of service and deletes what it is known by; to use it again, enrol it anew with `kaliun-edge enroll --new-key`.";
    PeerBootNotKept "peer.boot_not_kept" "Somebody chose another box that uses the same identity; give this one an identity of its own with `kaliun-edge enroll --new-key`.";
    PeerKeyMismatch "peer.key_mismatch" "The certificate's key is not the one that this device enrolled with; enrol the box again.";
    PeerUnknownAfterRestore "peer.unknown_after_restore" "This server has no record of the box, though it gave it a certificate: its database came back from a backup. Take the box back with `fleetctl device readopt device/ID`; it comes in by itself then.";
    PeerDeviceUnknown "peer.device_unknown" "No such device is known here; enrol the box again.";

    EnrollmentTokenInvalid "enrollment.token_invalid" "Check that the join token was copied whole, or make a new one.";
    EnrollmentTokenExpired "enrollment.token_expired" "Make a new join token with `fleetctl join-token create`.";
    EnrollmentTokenUsedUp "enrollment.token_used_up" "Make a new join token with `fleetctl join-token create --uses N`.";
    EnrollmentTokenRevoked "enrollment.token_revoked" "Ask for a new join token.";
    EnrollmentProofInvalid "enrollment.proof_invalid" "The box could not prove its key; try again, and reinstall the agent if it happens again.";
    EnrollmentRequestInvalid "enrollment.request_invalid" "Update the agent: its signing request does not fit.";
    EnrollmentDenied "enrollment.denied" "Somebody turned this box away; ask them, then start enrolment again.";
    EnrollmentCodeExpired "enrollment.code_expired" "Use the new code on the box's screen.";
    EnrollmentCheckFailed "enrollment.check_failed" "Somebody typed wrong check characters for this box too often, and its code ended; use the new code on the box's screen.";
    EnrollmentKeyInUse "enrollment.key_in_use" "This key belongs to a live device; delete that device first or make a new key with `kaliun-edge enroll --new-key`.";
    EnrollmentBusy "enrollment.busy" "Too many boxes enrol at once; the box tries again by itself.";
    EnrollmentFlood "enrollment.flood" "Nothing has to be done: the source keeps its own share busy and nobody else's. Look which boxes are there, and block the source in front of the device port if they are not yours.";

    SignInBusy "sign_in.busy" "Too many people sign in at once; try again in a minute.";
    SignInProviderUnknown "sign_in.provider_unknown" "This server has no such provider; choose one on the sign-in page.";
    SignInProviderUnreachable "sign_in.provider_unreachable" "The provider did not answer; try again in a minute, or sign in with your password.";
    SignInProviderMisconfigured "sign_in.provider_misconfigured" "Provider and server do not fit together; tell whoever runs this server, and sign in with your password meanwhile.";
    SignInDenied "sign_in.denied" "You did not agree at the provider; begin again, or sign in with your password.";
    SignInAttemptOver "sign_in.attempt_over" "This sign-in is over: it began in another browser, was used already, or took longer than 10 minutes; begin again on the sign-in page.";
    SignInAnswerInvalid "sign_in.answer_invalid" "What the provider said did not hold, so nobody was signed in; begin again, and tell whoever runs this server if it happens again.";
    SignInAddressMissing "sign_in.address_missing" "The provider did not say a mail address of yours that can be used here; let it do so there, or sign up with your address and a password.";
    SignInAddressUnconfirmed "sign_in.address_unconfirmed" "This server does not take the provider's word for your mail address; sign up with your address and a password, or sign in, and link the provider then.";
    SignInLinkFirst "sign_in.link_first" "There is an account with your address; sign in as you did before, and link the provider then.";
    SignInNotInvited "sign_in.not_invited" "You have no account here, and this server takes people by invitation alone; ask somebody of your organization to invite you.";
    SignInIdentityTaken "sign_in.identity_taken" "You are linked with another account of this server at that provider; sign in there with another one, or unlink it from the other account first.";
    SignInProviderLinked "sign_in.provider_linked" "Your account is linked with another identity of that provider; unlink it first.";
    SignInLinked "sign_in.linked" "Nothing to do: you can sign in through the provider from now on.";

    IdentityKeyFailed "identity.key_failed" "The box's key does not sign; the box tries again by itself. Look at its key file or TPM and start it again if it goes on.";

    HealthNoReport "health.no_report" "Wait for the first report; it comes within a minute of the first connection.";
    HealthStale "health.stale" "See why the link is down.";
    CpuBusy "cpu.busy" "See which program uses the processor; restart Home Assistant if it does not end.";
    LoadHigh "load.high" "See which programs run; restart Home Assistant if they do not end.";
    MemoryLow "memory.low" "Free memory: restart Home Assistant or remove add-ons.";
    MemoryExhausted "memory.exhausted" "Restart Home Assistant now; programs will be ended for want of memory.";
    DiskNearlyFull "disk.nearly_full" "Delete old backups or recordings before the disk is full.";
    DiskFull "disk.full" "Free space now: nothing can be stored any more.";
    InodesNearlyFull "disk.inodes_nearly_full" "Delete small files: the file system can hold few more.";
    TemperatureHigh "temperature.high" "Give the box air.";
    TemperatureCritical "temperature.critical" "Switch the box off or cool it: it slows down or stops.";
    CertificateExpiring "certificate.expiring" "Look why the box does not renew: it does so over its link, by itself, with 9 to 12 days left; restart its agent.";
    CertificateExpired "certificate.expired" "Switch the box on and let it reach the control plane: it proves its key and gets a new certificate by itself.";
    SpoolDropping "spool.dropping" "Keep the box online: what it measured while offline too long is lost.";

    HomeAssistantNotConfigured "ha.not_configured" "Set the address of Home Assistant in the agent's configuration.";
    HomeAssistantUnreachable "ha.offline" "Restart Home Assistant; see its log if it does not come up.";
    HomeAssistantUnverified "ha.unverified" "It answers, but without a token its state cannot be checked.";
    HomeAssistantStarting "ha.starting" "Wait until it has started.";
    RemoteAccessNotConfigured "remote.not_configured" "Nothing to do.";

    DeviceEnrolled "device.enrolled" "Nothing to do.";
    DeviceReissued "device.reissued" "Nothing to do, if the box was enrolled again just now; if it was not, somebody else has its key: `fleetctl device revoke device/NAME`.";
    DeviceRecovered "device.recovered" "Nothing to do, if the box was away; if it was not, somebody else has its key: `fleetctl device revoke device/NAME`.";
    CertificateRenewed "certificate.renewed" "Nothing to do.";
    DeviceRevoked "device.revoked" "Nothing to do.";
    DeviceCloneSuspected "device.clone_suspected" "Two boxes use one identity: choose one with `fleetctl device readopt device/NAME --keep-boot BOOT`, and give the other one a key of its own.";
    DeviceCertificateOutdated "device.certificate_outdated" "If somebody set the box back to a backup, say so with `fleetctl device readopt device/NAME --keep-boot BOOT`; if nobody did, somebody has a copy of its disk: revoke it, and enrol the box anew with `kaliun-edge enroll --new-key`.";
    DeviceKeyReused "device.key_reused" "Find out who has a copy of this device's key; enrol the box anew with `kaliun-edge enroll --new-key` and revoke this device. If it is known who it was, say so with `fleetctl device readopt device/NAME --keep-boot BOOT`.";
    DeviceAheadOfDatabase "device.ahead_of_database" "The box remembers what this database does not: it came back from a backup. Say so with `control-plane restored`.";
    JournalStopped "journal.stopped" "Make room on the disk of that replica's state folder, or take the line that is named out of the file; it is tried again every few seconds.";
    RotationWaits "rotation.waits" "Switch on the boxes that `fleetctl ca stragglers` lists, or go on without them by `fleetctl ca rotate advance --force`: they come along when they are back.";
    DeviceReadopted "device.readopted" "Nothing to do.";
    DeviceDecommissioned "device.decommissioned" "Nothing to do.";
    DeviceReplaced "device.replaced" "Nothing to do.";
    DeviceDeleted "device.deleted" "Nothing to do.";
    DeviceChanged "device.changed" "Nothing to do.";
    RotationWaiting "rotation.waiting" "Nothing to do: it goes on by itself; `fleetctl ca stragglers` lists whom it waits for.";
    RotationPaused "rotation.paused" "Go on with `fleetctl ca rotate resume`, or back with `fleetctl ca rotate rollback`.";
    RotationWouldStrand "rotation.would_strand" "Switch on the boxes of `fleetctl ca stragglers` that show bundle 0, or delete those that are gone; or leave them behind with `fleetctl ca rotate advance --force`.";
    RotationUnsigned "rotation.unsigned" "Fetch it with `fleetctl ca bundle unsigned`, sign it where its key is with `control-plane ca sign-bundle`, and bring it with `fleetctl ca bundle submit`.";
    AgentStarted "agent.started" "Nothing to do.";
    AgentStopped "agent.stopped" "Nothing to do.";
    HomeAssistantOnline "ha.online" "Nothing to do.";
    NetworkFailed "network.failed" "Check the home's router.";
    NetworkRestored "network.restored" "Nothing to do.";
    SettingsInvalid "settings.invalid" "Update the agent: it does not understand its settings.";
}

impl ReasonCode {
    /// Finds a code by its text. Codes of a newer version are not known and give nothing.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.code())
    }
}

/// Whether a text from outside has the form of a reason code.
#[must_use]
pub fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_well_formed_unique_and_found_again() {
        let mut seen = BTreeSet::new();
        for reason in ReasonCode::ALL {
            assert!(is_code(reason.code()), "{reason}");
            assert!(seen.insert(reason.code()), "{reason} twice");
            assert_eq!(ReasonCode::from_code(reason.code()), Some(*reason));
            assert!(reason.next_step().ends_with('.'), "{reason}");
        }
    }
}
