"""Types of an exercise, by Google's names.

https://developers.google.com/health/reference/rest/v4/users.dataTypes.dataPoints#exercisetype
"""

from collections.abc import Mapping
from types import MappingProxyType

_BY_CODE = {
    "american-football": "FOOTBALL_AMERICAN",
    "archery": "ARCHERY",
    "australian-football": "FOOTBALL_AUSTRALIAN",
    "badminton": "BADMINTON",
    "barre": "BALLET BARRE_CLASS",
    "baseball": "BASEBALL",
    "basketball": "BASKETBALL",
    "bowling": "BOWLING",
    "boxing": "BOXING",
    "cardio-dance": "BREAKDANCING DANCING HIP_HOP JAZZ_DANCE MODERN_DANCE ZUMBA",
    "climbing": "CLIMBING INDOOR_CLIMBING ROCK_CLIMBING",
    "core-training": "CORE_TRAINING",
    "cricket": "CRICKET",
    "cross-country-skiing": "CROSS_COUNTRY_SKI",
    "cross-training": "BOOTCAMP CIRCUIT_TRAINING CROSSFIT CROSS_TRAINING",
    "curling": "CURLING",
    "cycling": "ASSAULT_BIKE BIKING ELECTRIC_BIKE MOUNTAIN_BIKE OUTDOOR_BIKE SPINNING"
    " STATIONARY_BIKE UNICYCLING",
    "disc-sports": "FRISBEE_PLAYING_GENERAL ULTIMATE_FRISBEE",
    "elliptical": "ELLIPTICAL",
    "equestrian-sports": "EQUESTRIAN_SPORTS POLO",
    "fencing": "FENCING",
    "fishing": "FISHING",
    "fitness-gaming": "FITNESS_GAMING",
    "flexibility": "STRETCHING",
    "functional-strength-training": "BODY_WEIGHT CALISTHENICS TRX"
    " FUNCTIONAL_STRENGTH_TRAINING RESISTANCE_BANDS",
    "golf": "GOLF",
    "gymnastics": "GYMNASTICS TRAMPOLINE",
    "hand-cycling": "HAND_CYCLING",
    "handball": "HANDBALL",
    "high-intensity-interval-training": "HIIT INTERVAL_WORKOUT TABATA_WORKOUT",
    "hiking": "BACKPACKING HIKING ORIENTEERING RUCKING SNOWSHOEING",
    "hockey": "FIELD_HOCKEY HOCKEY",
    "hunting": "HUNTING",
    "jump-rope": "JUMPING_ROPE",
    "kickboxing": "KICKBOXING MUAY_THAI",
    "lacrosse": "LACROSSE",
    "martial-arts": "JIU_JITSU KARATE MARTIAL_ARTS TAEKWONDO",
    "mind-and-body": "MEDITATE",
    "mixed-cardio": "AEROBIC_WORKOUT CARDIO_SCULPT CARDIO_WORKOUT",
    "other": "BILLIARDS CARPENTRY CHEERLEADING CLEANING CROQUET ELECTRIC_SCOOTER"
    " EXERCISE_CLASS GARDENING HOEING HOUSEHOLD_CHORES MOTOCROSS MOTORCYCLE"
    " MOWING_LAWN MUSICAL_PERFORMANCE OTHER OUTDOOR_WORKOUT PAINTING PARAGLIDING"
    " PARKOUR SCOOTERING SHOOTING SHOVELING SKATEBOARDING SKYDIVING SNOWMOBILING"
    " SPORT WEEDING WORKOUT EXERCISE_TYPE_UNSPECIFIED",
    "paddle-sports": "CANOEING KAYAKING PADDLEBOARDING",
    "pickleball": "PICKELBALL PICKLEBALL",
    "pilates": "PILATES",
    "racquetball": "RACKET_SPORTS RACQUETBALL PADEL",
    "rowing": "ROWING ROWING_MACHINE",
    "rugby": "RUGBY",
    "running": "INCLINE_RUN RUNNING TRAIL_RUN TREADMILL",
    "sailing": "SAILING",
    "skating-sports": "ICE_SKATING ROLLERBLADING ROLLER_SKATING SKATING SPEED_SKATING",
    "snow-sports": "SKIING SNOW_SPORT",
    "snowboarding": "SNOWBOARDING",
    "soccer": "SOCCER",
    "social-dance": "BALLROOM_DANCE TANGO",
    "softball": "SOFTBALL",
    "squash": "SQUASH",
    "stair-climbing": "STAIRCLIMBER",
    "step-training": "STEP_TRAINING",
    "surfing-sports": "FOILING KITESURFING SURFING WAKEBOARDING WINDSURFING",
    "swim-bike-run": "MULTISPORT",
    "swimming": "SWIMMING SWIMMING_OPEN_WATER SWIMMING_POOL SYNCHRONIZED_SWIMMING",
    "table-tennis": "TABLE_TENNIS",
    "tai-chi": "TAI_CHI",
    "tennis": "TENNIS",
    "track-and-field": "TRACK_AND_FIELD",
    "traditional-strength-training": "FREE_WEIGHTS POWERLIFTING STRENGTH_TRAINING"
    " WEIGHTLIFTING WEIGHTS WEIGHT_MACHINES",
    "underwater-diving": "DIVING SCUBA_DIVING SNORKELING",
    "volleyball": "VOLLEYBALL VOLLEYBALL_BEACH",
    "walking": "INCLINE_WALK NORDIC_WALKING POWER_WALKING STROLLER_WALK TREADMILL_WALK"
    " WALKING WALK_WITH_WEIGHTS",
    "water-fitness": "WATER_AEROBICS WATER_JOGGING",
    "water-polo": "WATER_POLO",
    "water-sports": "WATER_SKIING WATER_SPORT WATER_VOLLEYBALL",
    "wheelchair-walk-pace": "WHEELCHAIR",
    "wrestling": "WRESTLING",
    "yoga": "YOGA YOGA_BIKRAM YOGA_HATHA YOGA_POWER YOGA_VINYASA",
}

EXERCISES: Mapping[str, str] = MappingProxyType(
    {name: code for code, names in _BY_CODE.items() for name in names.split()}
)
"""Google's name → code of a workout."""
