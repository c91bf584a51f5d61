//! The numbered lists of custody messages: event kinds, reasons, evidence types.
//!
//! Rules: spec/logistics.md 3.3, 4.7, 5.4. Numbers are never reused; names are those of the spec.

macro_rules! numbered {
    ($(#[$about:meta])* $name:ident { $($variant:ident = $number:literal $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`, number ", stringify!($number), ".")] $variant,)+
        }

        impl $name {
            /// All values, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The number that travels.
            pub const fn number(self) -> u8 {
                match self { $(Self::$variant => $number,)+ }
            }

            /// The value of a number, if there is one.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// The name of the spec.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

numbered! {
    /// What happened to a parcel (C, offset 1; spec/logistics.md 3.3).
    EventKind {
        PickedUp = 1 "picked_up",
        Arrived = 2 "arrived",
        Departed = 3 "departed",
        Transfer = 4 "transfer",
        OutForDelivery = 5 "out_for_delivery",
        Attempted = 6 "attempted",
        Delivered = 7 "delivered",
        ReadyForCollection = 8 "ready_for_collection",
        Collected = 9 "collected",
        Refused = 10 "refused",
        ReturnStarted = 11 "return_started",
        CustomsIn = 12 "customs_in",
        CustomsHeld = 13 "customs_held",
        CustomsOut = 14 "customs_out",
        Returned = 15 "returned",
        Relabelled = 16 "relabelled",
        Lost = 17 "lost",
        Destroyed = 18 "destroyed",
        Found = 19 "found",
        PickupFailed = 20 "pickup_failed",
        Damaged = 21 "damaged",
        Held = 22 "held",
        Released = 23 "released",
        PinTry = 24 "pin_try",
        Void = 25 "void",
        Resolve = 26 "resolve",
        Note = 27 "note",
    }
}

numbered! {
    /// What a custody event leans on (C, offset 15; spec/logistics.md 4.7).
    EvidenceType {
        None = 0 "none",
        HandoverBound = 1 "handover_bound",
        HandoverUnbound = 2 "handover_unbound",
        Pin = 3 "pin",
        Photo = 4 "photo",
        SignatureDrawing = 5 "signature_drawing",
        StationCode = 6 "station_code",
        LockerCode = 7 "locker_code",
        DelegationHandover = 8 "delegation_handover",
        Web = 9 "web",
        ListRelease = 10 "list_release",
        WeightRecord = 11 "weight_record",
    }
}

numbered! {
    /// Why something did not go as planned (C, offset 14; 0 there = no reason; spec/logistics.md 5.4).
    Reason {
        CarrierDamagedParcel = 1 "carrier_damaged_parcel",
        CarrierSortingError = 2 "carrier_sorting_error",
        CarrierAddressNotFound = 3 "carrier_address_not_found",
        CarrierParcelLost = 4 "carrier_parcel_lost",
        CarrierNotEnoughTime = 5 "carrier_not_enough_time",
        CarrierVehicleIssue = 6 "carrier_vehicle_issue",
        CarrierCapacityExceeded = 7 "carrier_capacity_exceeded",
        CarrierMechanicalDelay = 8 "carrier_mechanical_delay",
        RetailerCancelled = 9 "retailer_cancelled",
        RetailerIncorrectData = 10 "retailer_incorrect_data",
        RetailerNotReady = 11 "retailer_not_ready",
        RetailerIncorrectParcel = 12 "retailer_incorrect_parcel",
        RetailerIncorrectDimensions = 13 "retailer_incorrect_dimensions",
        RetailerPackagingIssue = 14 "retailer_packaging_issue",
        ConsigneeRefused = 15 "consignee_refused",
        ConsigneeBusinessClosed = 16 "consignee_business_closed",
        ConsigneeNotAvailable = 17 "consignee_not_available",
        ConsigneeNotHome = 18 "consignee_not_home",
        ConsigneeCancelled = 19 "consignee_cancelled",
        ConsigneeVerificationFailed = 20 "consignee_verification_failed",
        ConsigneeIncorrectAddress = 21 "consignee_incorrect_address",
        ConsigneeAccessRestricted = 22 "consignee_access_restricted",
        ConsigneeSafePlaceUnavailable = 23 "consignee_safe_place_unavailable",
        CustomsDelay = 24 "customs_delay",
        CustomsDocumentation = 25 "customs_documentation",
        CustomsDutiesUnpaid = 26 "customs_duties_unpaid",
        CustomsProhibited = 27 "customs_prohibited",
        CustomsInspection = 28 "customs_inspection",
        WeatherDelay = 29 "weather_delay",
        NaturalDisaster = 30 "natural_disaster",
        ForceMajeure = 31 "force_majeure",
        ParcelBeingResearched = 32 "parcel_being_researched",
        SecurityIssue = 33 "security_issue",
        RegulatoryHold = 34 "regulatory_hold",
        Unknown = 35 "unknown",
        OtherDayAsked = 40 "other_day_asked",
        NeighbourRefused = 41 "neighbour_refused",
        LockerFull = 42 "locker_full",
        Dog = 43 "dog",
        CodNotReady = 44 "cod_not_ready",
        AgeCheckFailed = 45 "age_check_failed",
        LabelUnreadable = 46 "label_unreadable",
        Intercepted = 47 "intercepted",
        WrongItemSaid = 48 "wrong_item_said",
        PartialRefused = 49 "partial_refused",
        DamagedRefused = 50 "damaged_refused",
        NotOnRound = 51 "not_on_round",
    }
}

macro_rules! flags {
    ($(#[$about:meta])* $name:ident($word:ty) { $($(#[$what:meta])* $flag:ident = $bit:literal,)+ }) => {
        $(#[$about])* ///
        /// Bits without a name are kept as they came, since they are signed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub $word);

        impl $name {
            /// No flag.
            pub const NONE: Self = Self(0);
            $($(#[$what])* pub const $flag: Self = Self(1 << $bit);)+

            /// Whether all bits of `flag` are set.
            pub const fn has(self, flag: Self) -> bool {
                self.0 & flag.0 == flag.0
            }

            /// The same with `flag` set.
            pub const fn with(self, flag: Self) -> Self {
                Self(self.0 | flag.0)
            }

            /// The same with `flag` cleared.
            pub const fn without(self, flag: Self) -> Self {
                Self(self.0 & !flag.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }
    };
}

pub(super) use {flags, numbered};
